"""The learning curves of a study in one chart: a colour per variant, a thin line per seed."""

import math

import numpy as np

from hundredfold.metrics import Metric
from hundredfold.reports import charts, epochs
from hundredfold.reports.charts import Frame, Line
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.html import Markup, join, paragraph, tag
from hundredfold.reports.run_evidence import RunEvidence
from hundredfold.reports.study_evidence import Member, StudyEvidence

TITLE = "Learning curves"
ORDER = 30


def variant_curves(study: StudyEvidence) -> Exhibit:
    """Show the learning curves of all variants; a bold line is the mean over seeds."""
    curves = [member.evidence.curve for member in study.members]
    if not any(curves):
        return missing("No run of the study has finished an epoch yet.")
    figures = {
        f"curve-{split}-{metric.name}": _chart(study, split, metric)
        for split in reversed(epochs.SPLITS)
        for metric in epochs.watched(curves)
        if any(epochs.has(curve, f"{split}.{metric.name}") for curve in curves)
    }
    lead = "Thin lines are single seeds; a bold line is the mean of those still training."
    drawings = tag("div", {"class": "pair"}, *figures.values())
    return Exhibit(join([paragraph(lead, kind="lead"), drawings]), figures)


def _chart(study: StudyEvidence, split: str, metric: Metric) -> Markup:
    key = f"{split}.{metric.name}"
    runs = [m for m in study.members if epochs.has(m.evidence.curve, key)]
    x = epochs.column(max((m.evidence.curve for m in runs), key=len), "epoch")
    scale = epochs.y_scale([v for m in runs for v in epochs.column(m.evidence.curve, key)], metric)
    frame = Frame(epochs.x_scale(x), scale, 500, 290, _margins(study))
    means = {label: _mean(study.of(label), key) for label in study.labels}
    bold = [
        Line(x[: len(v)], epochs.clipped(v, scale), study.colour(label), label)
        for label, v in means.items()
        if v
    ]
    thin = [_thin(study, m, key, frame) for m in runs if len(study.of(m.label)) > 1]
    series = [(label, study.colour(label), _padded(v, len(x))) for label, v in means.items()]
    return charts.drawing(
        frame.width,
        frame.height,
        f"{split.capitalize()} {metric.title} by epoch, one colour per variant",
        epochs.axes(frame, metric, split),
        charts.curves(frame, [*thin, *bold]),
        data={"hover": charts.hover(frame, x, series, "epoch", "%" if metric.percent else "")},
    )


def _margins(study: StudyEvidence) -> tuple[float, float, float, float]:
    """Return the margins, with space at the right edge for the names of the variants."""
    top, _, bottom, left = epochs.MARGINS
    longest = max(len(label) for label in study.labels)
    return top, min(longest * 6.6, 150) + 22, bottom, left


def _thin(study: StudyEvidence, member: Member, key: str, frame: Frame) -> Line:
    curve = member.evidence.curve
    values = epochs.clipped(epochs.column(curve, key), frame.y)
    return Line(epochs.column(curve, "epoch"), values, study.colour(member.label), style="thin")


def _mean(runs: list[RunEvidence], key: str) -> list[float]:
    """Return the mean over seeds for each epoch, over the runs that reached it."""
    columns = [epochs.column(run.curve, key) for run in runs if epochs.has(run.curve, key)]
    if not columns:
        return []
    table = np.array([_padded(values, max(map(len, columns))) for values in columns])
    present = np.isfinite(table)
    total = np.where(present, table, 0).sum(axis=0)
    count = present.sum(axis=0)
    return [float(t / c) if c else math.nan for t, c in zip(total, count, strict=True)]


def _padded(values: list[float], length: int) -> list[float]:
    return values + [math.nan] * (length - len(values))
