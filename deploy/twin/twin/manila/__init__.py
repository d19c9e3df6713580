"""Manila v2."""
