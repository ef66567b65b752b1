"""Where runs happen: processes of this machine, a Ray cluster, SLURM; one small protocol."""

from hundredfold.executors.local import Local
from hundredfold.executors.protocol import Executor, Job, Outcome, Standing
from hundredfold.executors.ray import Ray

__all__ = ["Executor", "Job", "Local", "Outcome", "Ray", "Standing"]
