"""Train a recipe into a run's folder; resume one that was interrupted; estimate one."""

from hundredfold.training.estimate import estimate
from hundredfold.training.progress import Progress
from hundredfold.training.session import Options, prepare, resume, train

__all__ = ["Options", "Progress", "estimate", "prepare", "resume", "train"]
