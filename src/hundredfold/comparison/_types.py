"""The types of a comparison: systems, pairs of systems, and the whole."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

ENOUGH_SEEDS = 3

Verdict = Literal["better", "worse", "ahead", "behind", "not distinguishable", "no common seed"]


@dataclass(frozen=True)
class System:
    """The scores of one label over its seeds.

    n:         number of seeds.
    sd:        sample standard deviation; None with a single seed.
    low, high: 95 % t interval of the mean, clipped to the range of the metric; None with a
               single seed.
    """

    label: str
    mean: float
    sd: float | None
    n: int
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Pair:
    """The comparison of `first` with `second`.

    difference: mean of first - second over the common seeds; without any, of the two means.
    seeds:      number of common seeds; in `leads` of them `first` is better, in `trails` `second`.
    basis:      what is paired: "seeds", "folds" (then `seeds` counts these), or the "images" of
                the only common seed.
    low, high:  95 % interval of the difference; None where it cannot be computed.
    p, p_holm:  p value of "no difference", before and after the correction over all pairs.
    verdict:    "ahead" and "behind" mean that there are too few seeds for "better" and "worse".
    sentence:   the verdict in plain English, with its figures.
    """

    first: str
    second: str
    difference: float
    seeds: int
    leads: int
    trails: int
    basis: Literal["seeds", "folds", "images"] = "seeds"
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    verdict: Verdict = "not distinguishable"
    sentence: str = ""

    @property
    def excludes_zero(self) -> bool:
        """Whether there is an interval and 0 is outside it."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Comparison:
    """The systems, best mean first, and all pairs of them, the better mean first.

    metric:  the key of the compared score, "validation.top_1".
    words:   the name of the metric in sentences.
    percent: whether differences are written as points.
    folds:   of cross-validation, 0 without; `System.n` and `Pair.seeds` then count folds.
    """

    metric: str
    words: str
    higher_is_better: bool
    percent: bool
    systems: tuple[System, ...]
    pairs: tuple[Pair, ...] = ()
    folds: int = 0

    def against_best(self) -> tuple[Pair, ...]:
        """Return the pairs of the best system; p values remain corrected over all pairs."""
        return tuple(pair for pair in self.pairs if pair.first == self.systems[0].label)

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as dictionaries and lists for JSON."""
        return asdict(self) | {
            "systems": [asdict(system) for system in self.systems],
            "pairs": [asdict(pair) for pair in self.pairs],
        }
