"""Readers of mails and their attachments."""
