"""Decide whether bf16 pays on this machine: timing trials, cached where they are reliable."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hundredfold.cache import Store
from hundredfold.compute.trials import Trial

WORTH = 1.15  # times as fast as fp32, at least, for bf16 to be chosen
_EMULATED = 0.5  # emulated bf16 products take more than ten times as long as fp32
_PLAUSIBLE = (0.02, 20.0)  # range of a step's ratio; others are measurement errors
_OPPOSITE = 2.0  # a ratio of steps that contradicts the products': beyond this, across 1
_KEPT = 500  # models, sizes and machines
_VERSION = 2  # increase it when a trial would measure something else


def choose(
    cache: Path,
    facts: list[Any],
    products: Callable[[], Trial],
    steps: Callable[[], Trial],
    *,
    emulated_below: float = _EMULATED,
) -> tuple[str, str]:
    """Return "bf16" or "fp32", and the reason.

    facts: JSON values that determine the ratio: model, sizes, threads, machine. products, steps:
    trials of matrix products and of a training step, bf16 against fp32. emulated_below: the ratio
    of products below which bf16 is emulated; then no step is timed, which would take minutes.
    """
    store = Store(cache, "precision", version=_VERSION, keep=_KEPT)
    key = store.key(*facts)
    cached = store.load(key)
    if cached is not None:
        return _sentence(float(cached["bf16_over_fp32"]), "measured before")
    product = products()
    emulated = product.agreed and product.ratio < emulated_below
    trial = product if emulated else steps()
    doubt = _doubt(product, trial)
    if doubt:
        return _sentence(trial.ratio, f"measured now and not cached, as {doubt}")
    store.save(key, {"bf16_over_fp32": trial.ratio, "of": facts})
    return _sentence(trial.ratio, "measured now")


def _doubt(product: Trial, trial: Trial) -> str:
    """Return why a trial must not be cached; "" where it may."""
    low, high = _PLAUSIBLE
    if not trial.agreed:
        return "the rounds of the timing trial disagree"
    if not low <= trial.ratio <= high:
        return "that is implausible"
    faster, slower = trial.ratio > _OPPOSITE, trial.ratio < 1 / _OPPOSITE
    if trial is not product and (slower if product.ratio >= 1 else faster):
        return f"matrix products are {product.ratio:.2f} times as fast"
    return ""


def _sentence(ratio: float, source: str) -> tuple[str, str]:
    chosen = "bf16" if ratio >= WORTH else "fp32"
    return chosen, f"a bf16 step is {ratio:.2f} times as fast here, {source}"
