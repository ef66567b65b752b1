"""The Python API: train, study, tune, evaluate, predict. The command line calls the same functions.

A name's module is imported when the name is first used; torch only when something is computed.
"""

import importlib
from typing import Any

_MODULES = {
    "Network": "hundredfold.api.networks",
    "Prediction": "hundredfold.prediction",
    "Predictions": "hundredfold.api.answers",
    "Run": "hundredfold.api.runs",
    "Study": "hundredfold.api.studying",
    "check": "hundredfold.api.images",
    "evaluate": "hundredfold.api.calls",
    "export": "hundredfold.api.calls",
    "list_models": "hundredfold.api.networks",
    "list_runs": "hundredfold.api.runs",
    "load": "hundredfold.api.runs",
    "predict": "hundredfold.api.calls",
    "report": "hundredfold.api.studying",
    "study": "hundredfold.api.studying",
    "train": "hundredfold.api.training",
    "tune": "hundredfold.api.tuning",
}
__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
