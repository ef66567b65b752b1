"""From a budget of time to a recipe, and the job that trains it."""

from hundredfold.planner.duration import parse_duration
from hundredfold.planner.plan import plan

__all__ = ["parse_duration", "plan"]
