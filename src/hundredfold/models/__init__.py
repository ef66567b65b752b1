"""Networks, one family a file; `build` makes one from its call, `summary` counts it."""

from hundredfold.models._build import build
from hundredfold.models._summary import Layer, Stage, Summary, summary

__all__ = ["Layer", "Stage", "Summary", "build", "summary"]
