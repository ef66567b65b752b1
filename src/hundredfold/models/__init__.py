"""Networks, one family a file; `build` makes one, `summary` counts it."""

from hundredfold.models._build import build, outline
from hundredfold.models._conv import FORMS, Conv2d, Form, Forms, directions, products
from hundredfold.models._layers import Dropout
from hundredfold.models._summary import Layer, Stage, Summary, stages, summary

__all__ = [
    "FORMS",
    "Conv2d",
    "Dropout",
    "Form",
    "Forms",
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
