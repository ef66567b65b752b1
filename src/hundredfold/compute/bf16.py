"""Whether bf16 pays on this machine: timing trials, remembered where they can be trusted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hundredfold.cache import Store
from hundredfold.compute.trials import Trial

WORTH = 1.15  # bf16 has to be this many times faster
_HOPELESS = 0.5  # where its products are emulated they take ten times as long and more
_PLAUSIBLE = (0.02, 20.0)  # a step's ratio; outside it something else was measured
_OPPOSITE = 2.0  # times faster or slower than products say, on the other side of 1
_KEPT = 500  # models, sizes and machines
_VERSION = 2  # raise it when a trial would measure something else


def choose(
    cache: Path,
    facts: list[Any],
    products: Callable[[], Trial],
    steps: Callable[[], Trial],
    *,
    hopeless: float = _HOPELESS,
) -> tuple[str, str]:
    """Return "bf16" or "fp32", and the reason.

    facts: JSON values that decide the ratio: model, sizes, threads, machine. products, steps:
    trials of matrix products and of a training step, bf16 against fp32. hopeless: the ratio of
    products below which bf16 is emulated; then no step is tried, which would take minutes.
    """
    store = Store(cache, "precision", version=_VERSION, keep=_KEPT)
    key = store.key(*facts)
    known = store.load(key)
    if known is not None:
        return _sentence(float(known["bf16_over_fp32"]), "measured before")
    product = products()
    emulated = product.agreed and product.ratio < hopeless
    trial = product if emulated else steps()
    doubt = _doubt(product, trial)
    if doubt:
        return _sentence(trial.ratio, f"measured now and not remembered, as {doubt}")
    store.save(key, {"bf16_over_fp32": trial.ratio, "of": facts})
    return _sentence(trial.ratio, "measured now")


def _doubt(product: Trial, trial: Trial) -> str:
    """Return why a trial is not to be trusted for ever; "" where it is."""
    low, high = _PLAUSIBLE
    if not trial.agreed:
        return "the rounds of the timing trial disagree"
    if not low <= trial.ratio <= high:
        return "that is implausible"
    faster, slower = trial.ratio > _OPPOSITE, trial.ratio < 1 / _OPPOSITE
    if trial is not product and (slower if product.ratio >= 1 else faster):
        return f"matrix products are {product.ratio:.2f} times as fast"
    return ""


def _sentence(ratio: float, words: str) -> tuple[str, str]:
    chosen = "bf16" if ratio >= WORTH else "fp32"
    return chosen, f"a bf16 step is {ratio:.2f} times as fast here, {words}"
