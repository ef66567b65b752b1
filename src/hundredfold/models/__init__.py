"""Networks, one family a file; `build` makes one, `summary` counts it."""

from hundredfold.compute.convolution import (
    ALGORITHMS,
    Algorithms,
    Conv2d,
    ConvAlgorithm,
    directions,
    products,
)
from hundredfold.compute.dropout import Dropout
from hundredfold.models._build import build, outline
from hundredfold.models._summary import Layer, Stage, Summary, stages, summary

__all__ = [
    "ALGORITHMS",
    "Algorithms",
    "Conv2d",
    "ConvAlgorithm",
    "Dropout",
    "Layer",
    "Stage",
    "Summary",
    "build",
    "directions",
    "outline",
    "products",
    "stages",
    "summary",
]
