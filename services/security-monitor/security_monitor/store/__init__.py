"""What security-monitor keeps in PostgreSQL."""
