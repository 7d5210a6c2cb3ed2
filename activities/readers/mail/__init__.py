"""Readers of mails, with their attachments."""
