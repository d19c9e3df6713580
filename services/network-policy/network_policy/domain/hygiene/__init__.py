"""Rule hygiene: what in a group says nothing, says too much, or could be said with fewer rules (rows L12, M9)."""
