"""Scores of stored logits, each with a 95 % interval; NumPy only.

A file is a metric: `top_k.py` defines `top_k(logits, labels, *, k=1) -> Score`. A metric takes
any of logits (n, classes), labels (n,) and superclass_of (classes,), by name. Constants of the
file describe it: TITLE, FORMAT ("percent" or "number"), BEST (1 or 0), RANGE, and ORDER in tables.
It is computed by default under its own name, or under the names in SCORES with their options;
SCORES = {} leaves it out. CLASSES says of how many classes it is, if not of any number.

A user adds metrics for one evaluation, such as "top_k(k=3)" or "my.py:kappa": see `own`.

Tables for reports -- confusion, per class, reliability, temperature -- are in `tables`.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hundredfold import spec, wording
from hundredfold.errors import UsageError, did_you_mean
from hundredfold.metrics._auroc import auroc
from hundredfold.metrics._logits import checked, softmax
from hundredfold.metrics._metric import Metric
from hundredfold.metrics._own import compute, own
from hundredfold.metrics._score import Score, wilson
from hundredfold.spec import Call, Part

__all__ = [
    "UNSEEN",
    "Metric",
    "Score",
    "about",
    "auroc",
    "default",
    "majority",
    "own",
    "scores",
    "softmax",
    "text",
    "wilson",
    "words",
]

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
    """Return the description of a score such as "top_1", "test.loss" or "test.top_1_unseen".

    Raises UsageError with "did you mean" for a name that is not there.
    """
    name = _name(key).removesuffix(UNSEEN)
    if name not in default():
        raise UsageError(f"no score is called {key!r}", remedy=did_you_mean(name, default()))
    return default()[name]


def words(key: str) -> str:
    """Return "validation.top_1" as "validation top-1 accuracy"; an unknown score keeps its name."""
    name = _name(key)
    title = default()[name].title if name in default() else name
    return f"{key.removesuffix(name).rstrip('.')} {title}".strip()


def text(key: str, value: Any, places: int = 3) -> str:
    """Return a score's value as text, as `Metric.text` does; a user's own is a plain number."""
    known = _name(key).removesuffix(UNSEEN) in default()
    return about(key).text(value, places) if known else wording.decimal(value, places)


def majority(labels: ArrayLike | None) -> float:
    """Return the fraction of labels (n,) that the most frequent class holds; 0 without labels."""
    counts = np.bincount(np.asarray([] if labels is None else labels, dtype=np.int64))
    return float(counts.max() / counts.sum()) if counts.size else 0.0


def _name(key: str) -> str:
    """Return "top_1" of "test.top_1"; options may have a full stop too: "f_beta(beta=0.5)"."""
    head = key.partition("(")[0]
    return key[head.rfind(".") + 1 :]


def scores(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    superclass_of: Sequence[int] = (),
    metrics: Mapping[str, str | Part] | None = None,
) -> dict[str, Score]:
    """Score logits (n, classes) against labels (n,) by every metric that applies.

    metrics: name -> call or part, such as {"top_3": "top_k(k=3)"}; None takes the default ones.

    Metrics of superclasses are left out without superclass_of, those of so many classes for
    others, and top k where k >= classes, as it is always 1. Raises DataError for arrays that do not
    fit, CheckError for logits that are not finite, and UsageError for an unknown metric.
    """
    values, truth = checked(logits, labels)
    arguments: dict[str, Any] = {"logits": values, "labels": truth}
    if len(superclass_of):
        arguments["superclass_of"] = superclass_of
    scored = {}
    for key, part in _parts(metrics).items():
        names = part.signature.handed
        if part.own is not None:
            scored[key] = compute(part, arguments)
        elif set(names) <= set(arguments) and _fits(part, values.shape[1]):
            scored[key] = part.resolve()(**{name: arguments[name] for name in names})
    return scored


def _fits(part: Part, classes: int) -> bool:
    """Return whether a metric is of so many classes."""
    wanted = spec.constants(part.name, __name__).get("CLASSES", classes)
    return bool(wanted == classes and part.options.get("k", 1) < classes)


def _parts(metrics: Mapping[str, str | Part] | None) -> dict[str, Part]:
    if metrics is None:
        metrics = {name: str(metric.call) for name, metric in default().items()}
    return {
        name: part if isinstance(part, Part) else spec.part(part, __name__)
        for name, part in metrics.items()
    }


def _described(part: str) -> list[Metric]:
    """Return the default scores of a metric, from the constants of its file."""
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
