"""What a comparison holds: systems, pairs of them, and both together."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

ENOUGH_SEEDS = 3

Verdict = Literal["better", "worse", "ahead", "behind", "not distinguishable", "no common seed"]


@dataclass(frozen=True)
class System:
    """One label over its seeds: mean, sample deviation, 95 % t interval of the mean.

    sd, low and high are None with a single seed; the interval ends where the metric does.
    """

    label: str
    mean: float
    sd: float | None
    n: int
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Pair:
    """What may be said of `first` beside `second`.

    difference: mean of first - second over the common seeds (of the means where there is none).
    seeds:      how many seeds both have; `leads` of them favour `first`, `trails` `second`.
    basis:      what was paired: "seeds", or the "images" of the only common seed.
    low, high:  95 % interval of the difference; None where nothing supports one.
    p, p_holm:  of "no difference", before and after the correction over all pairs.
    verdict:    "ahead" and "behind" say that there are not enough seeds for better and worse.
    sentence:   the verdict in plain English, with the figures it rests on.
    """

    first: str
    second: str
    difference: float
    seeds: int
    leads: int
    trails: int
    basis: Literal["seeds", "images"] = "seeds"
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    verdict: Verdict = "not distinguishable"
    sentence: str = ""

    @property
    def excludes_zero(self) -> bool:
        """Whether there is an interval and 0 lies outside."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Comparison:
    """Systems, best mean first, and every pair of them, the one with the better mean first.

    metric: the score that is compared, "validation.top_1"; `words` is what people call it.
    """

    metric: str
    words: str
    higher_is_better: bool
    percent: bool
    systems: tuple[System, ...]
    pairs: tuple[Pair, ...] = ()

    def against_best(self) -> tuple[Pair, ...]:
        """Return the pairs of the best system; their p values stay corrected over all pairs."""
        return tuple(pair for pair in self.pairs if pair.first == self.systems[0].label)

    def to_json(self) -> dict[str, Any]:
        """Return dictionaries and lists that JSON can hold."""
        return asdict(self) | {
            "systems": [asdict(system) for system in self.systems],
            "pairs": [asdict(pair) for pair in self.pairs],
        }
