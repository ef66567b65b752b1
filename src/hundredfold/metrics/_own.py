"""Metrics that a user adds to an evaluation: the package's with options, or code of their own."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from hundredfold import spec
from hundredfold.errors import UsageError
from hundredfold.metrics._score import Score
from hundredfold.spec import Call, OwnFiles, Part

_RESAMPLES = 400
_HANDED = ("logits", "labels")


def own(
    given: Iterable[str | Callable[..., Any]], files: OwnFiles | None = None
) -> dict[str, Part]:
    """Return metrics by the name of their score.

    given: texts, such as "top_k(k=3)" or "my.py:kappa(weight=2)", or functions. files: where a
    user's files lie, and which may run. A score is named as its text without the file. Raises
    UsageError for what is no metric.
    """
    package = "hundredfold.metrics"
    found = {}
    for one in given:
        if isinstance(one, str):
            part = spec.part(one, package, files)
            call = spec.parse(one)
            found[str(Call(call.name, call.options))] = part
        elif callable(one):
            part = spec.own_part(one, package)
            found[part.name] = part
        else:
            raise UsageError(
                f"{one!r} is no metric", remedy='"top_k(k=3)", "my.py:kappa" or a function'
            )
    return found


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
