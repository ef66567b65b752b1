"""The one door: train, study, evaluate, predict from Python; the command line calls the same.

Nothing here loads torch before something is computed.
"""

from hundredfold.api.answers import Predictions
from hundredfold.api.images import check
from hundredfold.api.networks import Network, list_models
from hundredfold.api.runs import Run, evaluate, list_runs, load, predict
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
    "list_models",
    "list_runs",
    "load",
    "predict",
    "report",
    "study",
    "train",
]
