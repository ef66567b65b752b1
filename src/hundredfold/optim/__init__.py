"""Losses, optimizers, schedules and resolutions that a recipe can name."""

from hundredfold.optim._optimizer import Optimizer

__all__ = ["Optimizer"]
