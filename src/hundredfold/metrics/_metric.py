"""The description of a score, from the constants of its metric's file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hundredfold import wording
from hundredfold.spec import Call


@dataclass(frozen=True)
class Metric:
    """A score that is computed by default, as tables, reports and studies show it.

    name:   its key in scores.json after the split: "top_1" of "test.top_1".
    call:   the metric that computes it, such as top_k(k=1).
    title:  its name within a sentence, such as "top-1 accuracy".
    format: "percent" for a fraction that is printed in percent, else "number".
    best:   the value of a perfect network, 1 or 0.
    range:  smallest and largest value; None where it is unbounded.
    order:  its position in a table, ascending.
    """

    name: str
    call: Call
    title: str
    format: Literal["percent", "number"]
    best: int
    range: tuple[float, float | None]
    order: int

    @property
    def higher_is_better(self) -> bool:
        return self.best == 1

    @property
    def percent(self) -> bool:
        """Whether values are printed in percent, and their differences in points."""
        return self.format == "percent"

    @property
    def heading(self) -> str:
        """The title with a capital letter, for the head of a column."""
        return self.title[:1].upper() + self.title[1:]

    def text(self, value: Any, places: int = 3) -> str:
        """Return a value as text: 0.512 as "51.2 %" or "0.512"; a missing one as a dash.

        places: decimal places of the value as a number; percent shows two fewer.
        """
        if self.percent:
            return wording.percent(value, places - 2)
        return wording.decimal(value, places)

    def interval(self, score: Mapping[str, Any], places: int = 3) -> str:
        """Return the bounds of a score without a sign: "50.2–52.2"."""
        bounds = (score.get("low"), score.get("high"))
        if not all(wording.finite(bound) for bound in bounds):
            return wording.NOTHING
        return "–".join(self.text(bound, places).removesuffix(" %") for bound in bounds)
