"""What requests read, and what is refused to them, is recorded in the audit trail before it is answered."""
