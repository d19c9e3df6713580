"""What burst-scheduler does about which message; it calls no cloud: nodes are the provisioner's and the providers' to make.

pools: the provisioner's events, which register and remove pools · nodes: what Slurm's hooks ask for
"""

from burst_scheduler.handlers import nodes, pools
from burst_scheduler.handlers.context import Context, handlers

__all__ = ["Context", "handlers", "nodes", "pools"]
