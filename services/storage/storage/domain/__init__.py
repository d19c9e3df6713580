"""What storage decides: desired and actual shares, volumes and access, and the steps between them. Pure."""
