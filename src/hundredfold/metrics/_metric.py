"""What others need to know of a score; the constants of the metric's file say it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hundredfold import wording
from hundredfold.spec import Call


@dataclass(frozen=True)
class Metric:
    """A score that is computed by default, as tables, pages and studies see it.

    name:   its key in scores.json, behind the split: "top_1" of "test.top_1".
    call:   what computes it, top_k(k=1).
    title:  what people read in the middle of a sentence, "top-1 accuracy".
    format: "percent" for a fraction that is printed in percent, else "number".
    best:   the value of a perfect network, 1 or 0.
    range:  the least and the largest value; None where there is no largest.
    order:  its place in a table; small numbers come first.
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
        """The title with a capital, as it heads a column."""
        return self.title[:1].upper() + self.title[1:]

    def text(self, value: Any, places: int = 3) -> str:
        """Return a value as it is printed: 0.512 as "51.2 %" or "0.512"; missing is a dash.

        places: decimal places of the value itself, two of which percent takes away.
        """
        if self.percent:
            return wording.percent(value, places - 2)
        return wording.decimal(value, places)

    def interval(self, score: Mapping[str, Any], places: int = 3) -> str:
        """Return the bounds of a score without a sign: "50.2–52.2"."""
        ends = (score.get("low"), score.get("high"))
        if not all(wording.finite(end) for end in ends):
            return wording.NOTHING
        return "–".join(self.text(end, places).removesuffix(" %") for end in ends)
