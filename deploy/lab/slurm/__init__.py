"""A real Slurm whose cloud nodes are processes of this machine: see README.md."""
