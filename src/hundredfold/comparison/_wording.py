"""The verdict on a pair in plain English, with its figures."""

from hundredfold import wording
from hundredfold.comparison._types import ENOUGH_SEEDS, Comparison, Pair


def sentence(pair: Pair, comparison: Comparison) -> str:
    """Return one sentence on a pair of a comparison that has its verdict."""
    if pair.verdict == "no common seed":
        names = f"{pair.first} and {pair.second}"
        return f"{names} have no seed in common: run both with the same seeds to compare them."
    support = _support(pair, comparison)
    if pair.verdict == "not distinguishable":
        return f"{_not_distinguishable(pair, comparison)} ({support}){_why(pair)}."
    by = _amount(abs(pair.difference), comparison)
    verb = {"better": "better than", "worse": "worse than", "ahead": "ahead of"}
    link = verb.get(pair.verdict, pair.verdict)
    text = f"{pair.first} is {link} {pair.second} on {comparison.words} by {by}"
    if pair.verdict in ("better", "worse"):
        return f"{text} ({support})."
    return f"{text} on {_seeds(pair)}, not enough seeds to say more ({support})."


def _not_distinguishable(pair: Pair, comparison: Comparison) -> str:
    difference = _amount(pair.difference, comparison)
    names = f"{pair.first} and {pair.second}"
    return f"{names} are not distinguishable on {comparison.words}: they differ by {difference}"


def _support(pair: Pair, comparison: Comparison) -> str:
    if pair.low is None or pair.high is None or pair.p_holm is None:
        return "no interval"
    ends = (pair.low, pair.high)
    if pair.verdict != "not distinguishable" and pair.excludes_zero:
        ends = (min(map(abs, ends)), max(map(abs, ends)))  # the sign is in the verb
    low, high = (_amount(end, comparison, unit="") for end in ends)
    rests = f"the images of {_seeds(pair)}" if pair.basis == "images" else _seeds(pair)
    tested = sum(other.p is not None for other in comparison.pairs)
    over = f" after Holm's correction over {tested} pairs" if tested > 1 else ""
    return f"95 % interval {low} to {high} from {rests}, p = {pair.p_holm:.2g}{over}"


def _why(pair: Pair) -> str:
    if pair.seeds < ENOUGH_SEEDS:
        return "; that is not enough seeds to say more"
    return "; the interval alone excludes 0, the corrected p does not" if pair.excludes_zero else ""


def _amount(value: float, comparison: Comparison, *, unit: str = " points") -> str:
    if not comparison.percent:
        return f"{value:.4g}"
    return f"{round(100 * value, 2) + 0.0:.2f}{unit}"  # + 0.0 turns -0.0 into 0.0


def _seeds(pair: Pair) -> str:
    return wording.plural(pair.seeds, "fold" if pair.basis == "folds" else "seed")
