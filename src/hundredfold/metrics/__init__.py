"""Scores of stored logits, each with a 95 % interval; NumPy only.

A file is a metric: `top_k.py` defines `top_k(logits, labels, *, k=1) -> Score` and BEST, the
value that a perfect network reaches (1 or 0), which tells whether more is better. What a
metric wants is handed over by name: logits (n, classes), labels (n,), superclass_of (classes,).
Tables for reports -- confusion, per class, reliability, temperature -- are in `tables`.
"""

import importlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from numpy.typing import ArrayLike

from hundredfold.errors import UsageError, did_you_mean
from hundredfold.metrics._logits import checked
from hundredfold.metrics._score import Score
from hundredfold.spec import describe, parse, resolve

__all__ = ["DEFAULT", "Score", "higher_is_better", "scores"]

DEFAULT: Mapping[str, str] = MappingProxyType(
    {
        "top_1": "top_k(k=1)",
        "top_5": "top_k(k=5)",
        "loss": "loss",
        "coarse_top_1": "coarse_top_1",
        "ece": "ece",
        "macro_f1": "macro_f1",
    }
)


def scores(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    superclass_of: Sequence[int] = (),
    metrics: Mapping[str, str] = DEFAULT,
) -> dict[str, Score]:
    """Score logits (n, classes) against labels (n,) by every metric that applies.

    metrics: the name of each score and the call that computes it.

    Left out are metrics of superclasses where there are none, and a top k that every
    network would reach, k >= classes. Raises DataError, CheckError or UsageError.
    """
    scored, truth = checked(logits, labels)
    given: dict[str, Any] = {"logits": scored, "labels": truth}
    if len(superclass_of):
        given["superclass_of"] = superclass_of
    found = {}
    for key, text in metrics.items():
        call = parse(text)
        wanted = describe(call.name, __name__).handed
        if set(wanted) <= set(given) and call.options.get("k", 1) < scored.shape[1]:
            found[key] = resolve(text, __name__)(**{name: given[name] for name in wanted})
    return found


def higher_is_better(key: str, metrics: Mapping[str, str] = DEFAULT) -> bool:
    """Say whether more is better of a score such as "top_1" or "test.loss"."""
    name = key.rpartition(".")[2]
    if name not in metrics:
        raise UsageError(f"no score is called {key!r}", remedy=did_you_mean(name, metrics))
    module = importlib.import_module(describe(parse(metrics[name]).name, __name__).module)
    return bool(module.BEST == 1)
