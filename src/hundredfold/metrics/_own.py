"""Metrics that a user adds to an evaluation: the package's with options, or code of their own."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hundredfold import spec
from hundredfold.errors import UsageError
from hundredfold.metrics._score import Score
from hundredfold.spec import Call, OwnFiles, Part

_PACKAGE = "hundredfold.metrics"
_RESAMPLES = 400
_HANDED = ("logits", "labels")


def own(
    metrics: str | Callable[..., Any] | Sequence[str | Callable[..., Any]],
    files: OwnFiles | None = None,
) -> dict[str, Part]:
    """Return one or several metrics by the name of their score.

    metrics: texts, such as "top_k(k=3)" or "my.py:kappa(weight=2)", or functions. files: where a
    user's files are, and which may run. A score's name is the metric's text without the file.
    Raises UsageError for what is no metric, and for two of the same name.
    """
    if isinstance(metrics, str) or callable(metrics):
        metrics = (metrics,)
    parts: dict[str, Part] = {}
    for metric in metrics:
        name, part = _named(metric, files)
        if name in parts:
            raise UsageError(f"two metrics are called {name!r}", remedy="another name for one")
        parts[name] = part
    return parts


def _named(metric: Any, files: OwnFiles | None) -> tuple[str, Part]:
    if isinstance(metric, str):
        call = spec.parse(metric)
        return str(Call(call.name, call.options)), spec.part(metric, _PACKAGE, files)
    if callable(metric):
        part = spec.own_part(metric, _PACKAGE)
        return part.name, part
    raise UsageError(f"{metric!r} is no metric", remedy='"top_k(k=3)", "my.py:kappa" or a function')


def compute(part: Part, arguments: Mapping[str, Any]) -> Score:
    """Return the score of a user's metric, which returns a number or a `Score`.

    arguments: logits (n, classes), labels (n,) and, where there are any, superclass_of. A metric
    takes any of them by name. A number gets the 2.5 and 97.5 percentiles of 400 resamples of the
    images as its interval (the bootstrap, Efron 1979, Annals of Statistics 7, 1-26). Raises
    UsageError where the metric fails or returns no finite number.
    """
    metric = part.resolve()
    names = part.signature.handed or _HANDED
    if not set(names) <= set(arguments):
        raise UsageError(
            f"the metric {part.name} takes {', '.join(names)}",
            remedy=f"parameters called {', '.join(arguments)}; others need a default",
        )
    chosen = {name: arguments[name] for name in names}
    value = _value(part, metric, chosen)
    if isinstance(value, Score):
        return value
    n = len(arguments["labels"])
    draws = np.random.default_rng(0)
    values = []
    for _ in range(_RESAMPLES):
        rows = draws.integers(n, size=n)
        sample = {k: v[rows] if k in _HANDED else v for k, v in chosen.items()}
        values.append(_value(part, metric, sample))
    low, high = np.percentile(values, (2.5, 97.5))
    return Score(value, min(float(low), value), max(float(high), value), n)


def _value(part: Part, metric: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    handed = part.signature.handed
    try:
        found = metric(**arguments) if handed else metric(*arguments.values())
        value = found if isinstance(found, Score) else float(found)
    except Exception as error:
        raise UsageError(
            f"the metric {part.name} failed: {type(error).__name__}: {error}",
            remedy="a function of logits and labels that returns a number",
        ) from error
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(
            f"the metric {part.name} is not finite", found=str(value), remedy="a finite number"
        )
    return value
