"""Train a recipe into a run's folder; resume one that was interrupted; estimate or plan one."""

from hundredfold.training.budget import plan, seconds_of
from hundredfold.training.estimate import estimate
from hundredfold.training.job import Options, prepare
from hundredfold.training.progress import Progress
from hundredfold.training.session import carry_out, resume, train

__all__ = [
    "Options", "Progress", "carry_out", "estimate", "plan", "prepare", "resume", "seconds_of",
    "train",
]  # fmt: skip
