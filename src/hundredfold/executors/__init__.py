"""Where runs happen: processes of this machine, a Ray cluster, SLURM; one small protocol."""

from hundredfold.executors.choice import Place, choose
from hundredfold.executors.local import Local
from hundredfold.executors.protocol import Executor, Job, JobProgress, Outcome
from hundredfold.executors.ray import Ray
from hundredfold.executors.slurm import Slurm

__all__ = ["Executor", "Job", "JobProgress", "Local", "Outcome", "Place", "Ray", "Slurm", "choose"]
