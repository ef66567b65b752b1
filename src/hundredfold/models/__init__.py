"""Networks, one family per file; `build` builds one, `summary` counts its parameters and MACs."""

from hundredfold.compute.conv_algorithms import ALGORITHMS, Algorithms, ConvAlgorithm
from hundredfold.compute.convolution import Conv2d, directions, products
from hundredfold.compute.dropout import Dropout
from hundredfold.models._build import build, make, outline, without_weights
from hundredfold.models._layers import Scale
from hundredfold.models._summary import Layer, Stage, Summary, stages, summary

__all__ = [
    "ALGORITHMS",
    "Algorithms",
    "Conv2d",
    "ConvAlgorithm",
    "Dropout",
    "Layer",
    "Scale",
    "Stage",
    "Summary",
    "build",
    "directions",
    "make",
    "outline",
    "products",
    "stages",
    "summary",
    "without_weights",
]
