"""What security-monitor decides: values in, values out."""
