"""The Python API: train, study, evaluate, predict. The command line calls the same functions.

Torch is imported only when something is computed.
"""

from hundredfold.api.answers import Predictions
from hundredfold.api.images import check
from hundredfold.api.networks import Network, list_models
from hundredfold.api.runs import Run, evaluate, export, list_runs, load, predict
from hundredfold.api.studying import Study, report, study
from hundredfold.api.training import train
from hundredfold.prediction import Prediction

__all__ = [
    "Network",
    "Prediction",
    "Predictions",
    "Run",
    "Study",
    "check",
    "evaluate",
    "export",
    "list_models",
    "list_runs",
    "load",
    "predict",
    "report",
    "study",
    "train",
]
