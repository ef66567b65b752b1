"""Train image classifiers, from scratch and by transfer, and say honestly which is better.

    import hundredfold as hf

    run = hf.train("simple-cnn", data="digits", epochs=5)
    run.evaluate("test")
    run.predict(["a.png", "b.png"])

Public names are loaded when they are first used; `__init__.pyi` tells type checkers of them.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_ERRORS = (
    "CheckError",
    "DataError",
    "HundredfoldError",
    "HundredfoldWarning",
    "Interrupted",
    "MissingError",
    "UsageError",
)
_API = (
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
    "tune",
)
__all__ = ["__version__", *_ERRORS, *_API]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{'errors' if name in _ERRORS else 'api'}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
