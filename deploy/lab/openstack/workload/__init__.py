"""The workload's steps, one room for each kind of resource."""
