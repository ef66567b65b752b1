"""Networks, one family a file; `build` makes one, `summary` counts it."""

from hundredfold.models._build import build, outline
from hundredfold.models._summary import Layer, Stage, Summary, summary

__all__ = ["Layer", "Stage", "Summary", "build", "outline", "summary"]
