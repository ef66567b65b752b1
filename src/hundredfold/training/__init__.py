"""Train a recipe into a run's folder with an engine, resume a run, or estimate its cost."""

from hundredfold.training.estimate import estimate
from hundredfold.training.options import Options
from hundredfold.training.progress import Progress
from hundredfold.training.session import resume, train, train_job

__all__ = ["Options", "Progress", "estimate", "resume", "train", "train_job"]
