"""slurm.conf of the lab: everything on loopback, as one user, without systemd and cgroups."""

import os
import pwd
import socket
from dataclasses import dataclass
from pathlib import Path

from bootstrap.console import Lacking

STATIC_NODE = "static1"


@dataclass(frozen=True)
class Timing:
    """How long Slurm waits for what; whole seconds."""

    resume_timeout_seconds: int = 60
    hasty_resume_timeout_seconds: int = 10
    """In the partition `hasty`."""
    suspend_timeout_seconds: int = 5
    suspend_time_seconds: int = 15
    """Idle for that long, a node is powered down."""


@dataclass(frozen=True)
class Hooks:
    """The programs that Slurm calls to have nodes made and taken away."""

    resume: Path
    suspend: Path
    resume_fail: Path


@dataclass(frozen=True)
class Ports:
    """Of the controller, of slurmd by default, and the first of the nodes' own; all nodes' follow it."""

    controller: int
    daemon: int
    nodes: int


def cloud_nodes(count: int) -> tuple[str, ...]:
    """The names of the cloud nodes: all but the last in the partition `cloud`, the last in `hasty`."""
    return tuple(f"cloud{number}" for number in range(1, count + 1))


def own_user() -> str:
    """Who runs this. Raises Lacking where the user has no name, as in some containers: Slurm wants one."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        raise Lacking(
            f"Slurm runs for users with a name, and user {os.getuid()} is not in /etc/passwd: add a line for it there,"
            " or leave the Slurm tests out (make test ARGS=\"-m 'not lab and not campaign and not slurm'\")"
        ) from None


def slurm_conf(folder: Path, plugins: Path, ports: Ports, nodes: int, hooks: Hooks, timing: Timing) -> str:
    """The file's text. Slurm and its jobs run as whoever starts them, so that no rights are needed. Raises Lacking."""
    user, host = own_user(), socket.gethostname()
    last = nodes + ports.nodes
    return f"""\
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
PluginDir={plugins}
AuthType=auth/munge
CredType=cred/munge
# A requeued job waits for cred_expire before it may start again; the default of 120 s makes tests slow.
AuthInfo=socket={folder}/munge/munge.socket,cred_expire=20
SlurmctldPort={ports.controller}
SlurmdPort={ports.daemon}
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/run/slurmctld.self
SlurmctldLogFile={folder}/logs/slurmctld.log
SlurmctldDebug=verbose
DebugFlags=Power
SlurmdSpoolDir={folder}/spool/%n
SlurmdPidFile={folder}/run/%n.self
SlurmdLogFile={folder}/logs/%n.log
# No cgroups, and more processors than the machine has.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
MpiDefault=none
SwitchType=switch/none
TreeWidth=65533
SlurmctldTimeout=30
SlurmdTimeout=20
InactiveLimit=0
KillWait=5
MessageTimeout=10
MinJobAge=300
ReturnToService=2
JobRequeue=1
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
ResumeProgram={hooks.resume}
SuspendProgram={hooks.suspend}
ResumeFailProgram={hooks.resume_fail}
ResumeTimeout={timing.resume_timeout_seconds}
SuspendTimeout={timing.suspend_timeout_seconds}
SuspendTime={timing.suspend_time_seconds}
ResumeRate=0
SuspendRate=0
SuspendExcParts=local
SlurmctldParameters=idle_on_node_suspend,power_save_interval=1
# The address of a cloud node changes with each of its lives.
CommunicationParameters=NoAddrCache
PrivateData=cloud
SchedulerParameters=bf_interval=5,batch_sched_delay=0,sched_interval=5
NodeName={STATIC_NODE} NodeAddr=127.0.0.1 NodeHostname={host} Port={ports.nodes} CPUs=2 RealMemory=2000 State=UNKNOWN
NodeName=cloud[1-{nodes}] Port=[{ports.nodes + 1}-{last}] CPUs=4 RealMemory=4000 Feature=burst State=CLOUD
PartitionName=local Nodes={STATIC_NODE} Default=YES MaxTime=1-0 State=UP
PartitionName=cloud Nodes=cloud[1-{nodes - 1}] MaxTime=1-0 State=UP
PartitionName=hasty Nodes=cloud{nodes} ResumeTimeout={timing.hasty_resume_timeout_seconds} MaxTime=1-0 State=UP
"""
