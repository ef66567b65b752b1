"""Plan a training within a time budget."""

from hundredfold.planner.duration import parse_duration
from hundredfold.planner.plan import plan

__all__ = ["parse_duration", "plan"]
