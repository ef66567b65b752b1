"""Losses, optimizers, schedules and resolutions that a recipe can name."""

from hundredfold.optim._muon import share_work
from hundredfold.optim._optimizer import Optimizer
from hundredfold.optim._weighted import weighted

__all__ = ["Optimizer", "share_work", "weighted"]
