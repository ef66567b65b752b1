"""Losses, optimizers, schedules and resolutions: what a recipe says of the training itself."""

from hundredfold.optim._optimizer import Optimizer

__all__ = ["Optimizer"]
