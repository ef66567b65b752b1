"""Where runs happen: processes of this machine, a Ray cluster, SLURM; one small protocol."""

from hundredfold.executors.local import Local
from hundredfold.executors.protocol import Executor, Job, Outcome, Standing

__all__ = ["Executor", "Job", "Local", "Outcome", "Standing"]
