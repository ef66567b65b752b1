"""The learning curves of all trials of a search, and the epochs at which they were compared."""

import math
from collections.abc import Mapping
from typing import Any

from hundredfold import metrics
from hundredfold.reports import charts, epochs
from hundredfold.reports.charts import Frame, Line
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.html import Child, Markup, join, paragraph
from hundredfold.reports.search_marks import drawn_last, is_untuned, style, winner_of
from hundredfold.reports.study_evidence import StudyEvidence

TITLE = "Curves of the trials"
ORDER = 14
NEEDS = "search.json"

_KEY = "validation.top_1"


def search_curves(study: StudyEvidence) -> Exhibit:
    """Show the validation accuracy of every trial by epoch."""
    curves = {trial["number"]: study.trial_curve(trial) for trial in study.trials}
    if not any(epochs.has(curve, _KEY) for curve in curves.values()):
        return missing("No trial has finished an epoch yet.")
    drawing = _chart(study, curves)
    rungs = study.search.get("rungs") or []
    after = f" after epoch {' and '.join(map(str, rungs))}" if rungs else ""
    lead = (
        f"Colours as above. A trial that is not in the best third{after} is stopped (dashed); "
        "it may train on a little until it has saved. The first ones go on if they are the best."
    )
    return Exhibit(join([paragraph(lead, kind="lead"), drawing]), {"trial-curves": drawing})


def _chart(study: StudyEvidence, curves: dict[int, list[dict[str, float]]]) -> Markup:
    metric, found = metrics.about(_KEY), study.search
    values = [v for curve in curves.values() for v in epochs.column(curve, _KEY)]
    last = max(row["epoch"] for curve in curves.values() for row in curve)
    y = epochs.y_scale(values, metric)
    frame = Frame(epochs.x_scale([1.0, last]), y, 720, 340, (14, 110, 40, 52))
    lines, singles = [], list[Child]()
    for trial in sorted(study.trials, key=lambda t: drawn_last(found, t)):
        curve, look = curves[trial["number"]], style(found, trial)
        if not epochs.has(curve, _KEY):
            continue
        colour, _, thin = look.partition(" ")
        name = _name(found, trial)
        x, points = epochs.column(curve, "epoch"), epochs.column(curve, _KEY)
        lines.append(Line(x, points, int(colour[1:]), name, thin))
        if len(curve) == 1 and math.isfinite(points[0]):
            singles.append(charts.circle(*frame.at(x[0], points[0]), 2.5, f"fill {look}"))
    marks = [
        charts.path([frame.at(rung, y.low), frame.at(rung, y.high)], "mark")
        for rung in study.search.get("rungs") or ()
        if frame.x.low <= rung <= frame.x.high
    ]
    words = f"Validation accuracy of {len(lines)} trials by epoch"
    return charts.drawing(
        frame.width,
        frame.height,
        words,
        epochs.axes(frame, metric, "validation"),
        *marks,
        charts.curves(frame, lines),
        *singles,
        kind="wide",
    )


def _name(search: Mapping[str, Any], trial: Mapping[str, Any]) -> str:
    if trial["number"] == winner_of(search):
        return f"trial {trial['number']}"
    return "untuned" if is_untuned(search, trial) else ""
