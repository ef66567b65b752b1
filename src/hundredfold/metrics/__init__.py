"""Scores of stored logits, each with a 95 % interval; NumPy only.

A file is a metric: `top_k.py` defines `top_k(logits, labels, *, k=1) -> Score`. What a metric
wants is handed over by name: logits (n, classes), labels (n,), superclass_of (classes,). Its
constants say what others need: TITLE for people, FORMAT ("percent" or "number"), BEST (1 or 0),
RANGE, ORDER in tables. It is computed by default under its own name, or under the names of
SCORES with the options given there; SCORES = {} leaves it out.

Tables for reports -- confusion, per class, reliability, temperature -- are in `tables`.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

from numpy.typing import ArrayLike

from hundredfold import spec
from hundredfold.errors import UsageError, did_you_mean
from hundredfold.metrics._logits import checked, softmax
from hundredfold.metrics._metric import Metric
from hundredfold.metrics._score import Score, wilson
from hundredfold.spec import Call

__all__ = ["UNSEEN", "Metric", "Score", "about", "default", "scores", "softmax", "wilson", "words"]

UNSEEN = "_unseen"  # ends the name of a score without near-duplicates of training images


@cache
def default() -> Mapping[str, Metric]:
    """Return the scores that are computed by default, by name, in the order of tables.

    They are read from the sources of the metrics; none is imported.
    """
    listed = [metric for name in spec.names(__name__) for metric in _described(name)]
    listed.sort(key=lambda metric: metric.order)
    return MappingProxyType({metric.name: metric for metric in listed})


def about(key: str) -> Metric:
    """Return what is known of a score such as "top_1", "test.loss" or "test.top_1_unseen".

    Raises UsageError with "did you mean" for a name that is not there.
    """
    name = key.rpartition(".")[2].removesuffix(UNSEEN)
    if name not in default():
        raise UsageError(f"no score is called {key!r}", remedy=did_you_mean(name, default()))
    return default()[name]


def words(key: str) -> str:
    """Return "validation.top_1" as "validation top-1 accuracy"; an unknown score is its name."""
    split, _, name = key.rpartition(".")
    title = default()[name].title if name in default() else name
    return f"{split} {title}".strip()


def scores(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    superclass_of: Sequence[int] = (),
    metrics: Mapping[str, str] | None = None,
) -> dict[str, Score]:
    """Score logits (n, classes) against labels (n,) by every metric that applies.

    metrics: the name of each score and the call that computes it; else the default ones.

    Left out are metrics of superclasses where there are none, and a top k that every
    network would reach, k >= classes. Raises DataError, CheckError or UsageError.
    """
    values, truth = checked(logits, labels)
    handed: dict[str, Any] = {"logits": values, "labels": truth}
    if len(superclass_of):
        handed["superclass_of"] = superclass_of
    scored = {}
    for key, call in _calls(metrics).items():
        wanted = spec.describe(call.name, __name__).handed
        if set(wanted) <= set(handed) and call.options.get("k", 1) < values.shape[1]:
            metric = spec.resolve(str(call), __name__)
            scored[key] = metric(**{name: handed[name] for name in wanted})
    return scored


def _calls(metrics: Mapping[str, str] | None) -> dict[str, Call]:
    if metrics is None:
        return {name: metric.call for name, metric in default().items()}
    return {name: spec.parse(text) for name, text in metrics.items()}


def _described(part: str) -> list[Metric]:
    """Return the scores that a metric's file says it gives by default."""
    constants = spec.constants(part, __name__)
    return [
        Metric(
            name=name,
            call=Call(part, options),
            title=constants["TITLE"].format(**options),
            format=constants["FORMAT"],
            best=constants["BEST"],
            range=constants["RANGE"],
            order=constants["ORDER"],
        )
        for name, options in constants.get("SCORES", {part: {}}).items()
    ]
