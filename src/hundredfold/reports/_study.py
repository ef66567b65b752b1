"""What the exhibits of a study share: the metric in words, its scale, rows of variants."""

from collections.abc import Sequence
from typing import Any

from hundredfold import wording
from hundredfold.reports import _svg
from hundredfold.reports._evidence import StudyEvidence
from hundredfold.reports._html import Markup, tag
from hundredfold.reports._svg import Frame, Scale

NAMES = {
    "top_1": "top-1",
    "top_5": "top-5",
    "coarse_top_1": "superclass top-1",
    "ece": "calibration error",
    "macro_f1": "mean F1",
}


def metric_words(metric: str) -> str:
    """Return "validation.top_1" as "validation top-1"."""
    split, _, name = metric.rpartition(".")
    return f"{split} {NAMES.get(name, name)}".strip()


def unit(study: StudyEvidence) -> str:
    """Return " %" where the metric is a share in [0, 1]."""
    return " %" if study.comparison.get("percent", True) else ""


def value_text(study: StudyEvidence, value: Any, *, with_unit: bool = True) -> str:
    """Return a value of the study's metric as it is printed: 0.512 as "51.20 %"."""
    if not wording.finite(value):
        return wording.NOTHING
    if not unit(study):
        return f"{value:.4g}"
    return f"{100 * value:.2f}{unit(study) if with_unit else ''}"


def value_scale(study: StudyEvidence) -> Scale:
    """Return a scale that holds every seed, and intervals of means up to a like width."""
    values = [v for seeds in study.values.values() for v in seeds.values()]
    systems = study.comparison.get("systems", [])
    low, high = min(values), max(values)
    room = 0.25 * ((high - low) or abs(high) * 0.05 or 1.0)
    ends = [s[k] for s in systems for k in ("low", "high") if wording.finite(s.get(k))]
    pad = 0.03 * room
    first = max(low - room, min([low, *ends])) - pad
    last = min(high + room, max([high, *ends])) + pad
    return Scale(max(first, 0.0), min(last, 1.0)) if unit(study) else Scale(first, last)


def row_scale(rows: int) -> Scale:
    """Return a scale with row 0 at the top."""
    return Scale(rows - 0.5, -0.5)


def row_axes(frame: Frame, label: str, *, share: bool) -> Markup:
    """Return vertical grid lines with values under them, in percent where they are shares."""
    lines: list[Markup] = []
    for value in frame.x.ticks():
        x = frame.at(value, frame.y.low)[0]
        words = f"{round(100 * value, 3):g}" if share else f"{value:g}"
        words = words.replace("-", "−")
        lines.append(_svg.path([(x, frame.top), (x, frame.bottom)], "grid"))
        lines.append(_svg.text(x, frame.bottom + 17, words, "tick", anchor="middle"))
    middle = (frame.left + frame.right) / 2
    lines.append(_svg.text(middle, frame.height - 5, label, "label", anchor="middle"))
    return tag("g", {}, *lines)


def mean(values: Sequence[Any]) -> float | None:
    """Return the mean of the numbers among the values, or None where there is none."""
    known = [float(v) for v in values if wording.finite(v)]
    return sum(known) / len(known) if known else None


def colour(study: StudyEvidence, label: str) -> int:
    """Return the colour of a variant: its place in the study."""
    return study.labels.index(label) if label in study.labels else len(study.labels)
