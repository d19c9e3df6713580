"""`tresor doctor`: every check is one question, its answer, and what to do when it is bad."""
