"""Train within a time budget."""

from hundredfold.planner.candidates import Candidate, Wishes
from hundredfold.planner.duration import parse_duration
from hundredfold.planner.plan import plan_epochs, sketch, train, train_epochs

__all__ = [
    "Candidate",
    "Wishes",
    "parse_duration",
    "plan_epochs",
    "sketch",
    "train",
    "train_epochs",
]
