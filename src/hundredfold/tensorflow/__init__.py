"""The second engine: the same recipe and the same run's folder, by TensorFlow 2 and Keras 3.

The loop, the curve, early stopping, saves and the record are those of `hundredfold.training`;
this package gives it a job with a learner and a feed. TensorFlow is loaded when one of the
functions below is called, never before.
"""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hundredfold.errors import MissingError
from hundredfold.recipe import Recipe
from hundredfold.run import Run

if TYPE_CHECKING:
    from hundredfold.tensorflow.job import Job
    from hundredfold.tensorflow.opening import Opened
    from hundredfold.training import Options, Progress
    from hundredfold.training.pace import Pace


def prepare(
    what: Recipe,
    options: "Options",
    progress: "Progress",
    before: Mapping[str, Any] | None = None,
) -> "Job":
    """Make a recipe's job; see `hundredfold.training.job.prepare`.

    Raises MissingError without TensorFlow or weights, and UsageError for what a recipe
    asks and this engine cannot do.
    """
    _need()
    from hundredfold.tensorflow import job

    return job.prepare(what, options, progress, before)


def measure(made: "Job") -> "Pace":
    """Time some steps and a pass over validation images; the job's network is trained."""
    from hundredfold.tensorflow import job

    return job.measure(made)


def open_model(run: Run) -> "Opened":
    """Build a run's network with its best weights. Raises MissingError or DataError."""
    _need()
    from hundredfold.tensorflow import opening

    return opening.open_model(run)


def _need() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # warnings of the library to its users
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if find_spec("tensorflow") is None or find_spec("keras") is None:
        raise MissingError(
            "TensorFlow is not installed",
            found="--engine tensorflow needs the extra 'tensorflow'",
            remedy="pip install 'hundredfold[tensorflow]'",
        )
