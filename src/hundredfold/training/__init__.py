"""Train a recipe into a run's folder; resume one that was interrupted; estimate or plan one."""

from hundredfold.training.budget import plan, seconds_of
from hundredfold.training.estimate import estimate
from hundredfold.training.job import Options, prepare
from hundredfold.training.progress import Progress
from hundredfold.training.session import resume, train

__all__ = ["Options", "Progress", "estimate", "plan", "prepare", "resume", "seconds_of", "train"]
