"""How much each option of a search mattered, with an interval."""

from collections.abc import Mapping, Sequence
from typing import Any

from hundredfold.reports import charts
from hundredfold.reports.charts import Frame, Scale
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.html import Child, Markup, join, paragraph
from hundredfold.reports.study_evidence import StudyEvidence

TITLE = "What mattered"
ORDER = 13
NEEDS = "search.json"


def search_importance(study: StudyEvidence) -> Exhibit:
    """Show the share of the trials' order that each option explains alone."""
    listed = study.search.get("importance") or []
    if not listed:
        return missing("With fewer than six trials nothing can be said of the options.")
    drawing = _bars(listed)
    lead = (
        "The share of the order of the trials that an option explains alone, in percent, with its "
        "95 % interval over resampled trials. A wide interval means too few trials to tell."
    )
    return Exhibit(
        join([paragraph(lead, kind="lead"), charts.sideways(drawing)]), {"importance": drawing}
    )


def _bars(listed: Sequence[Mapping[str, Any]]) -> Markup:
    names = [str(entry["option"]) for entry in listed]
    left = min(max(map(len, names)) * 6.6, 240) + 24
    frame = Frame(
        Scale(0, 1), charts.row_scale(len(listed)), 720, 56 + 34 * len(listed), (10, 20, 40, left)
    )
    parts: list[Child] = []
    for row, entry in enumerate(listed):
        x, y = frame.at(float(entry["value"]), row)
        low, high = (frame.at(float(entry[key]), row)[0] for key in ("low", "high"))
        hint = f"{entry['value']:.0%}, 95 % interval {entry['low']:.0%} to {entry['high']:.0%}"
        parts.append(charts.text(frame.left - 14, y + 4, names[row], "name", anchor="end"))
        parts.append(charts.rectangle(low, y - 4, high - low, 8, "pale fill c0", hint, round_by=4))
        parts.append(charts.circle(x, y, 4.5, "dot fill c0", hint))
    grid = charts.row_axes(frame, "share of the order of the trials, %", percent=True)
    words = "Importance of each option, with its 95 % interval"
    return charts.drawing(frame.width, frame.height, words, grid, *parts, kind="wide")
