"""The learning curves of a study over one another: a colour a variant, a thin line a seed."""

import math

import numpy as np

from hundredfold.reports import _svg
from hundredfold.reports._evidence import Evidence, Exhibit, StudyEvidence
from hundredfold.reports._html import Markup, join, paragraph, tag
from hundredfold.reports._study import colour
from hundredfold.reports._svg import Frame, Line
from hundredfold.reports.curves import (
    MARGINS,
    clipped,
    column,
    has,
    tick,
    whole_ticks,
    x_scale,
    y_scale,
    y_text,
)

CHARTS = (("validation", "top_1"), ("validation", "loss"), ("train", "top_1"), ("train", "loss"))


def overlay(study: StudyEvidence) -> Exhibit:
    """Show how the variants learned beside each other; bold is the mean over seeds."""
    title = "Learning curves"
    if not any(member.evidence.curve for member in study.members):
        words = "No run of the study has finished an epoch yet."
        return Exhibit(title, paragraph(words, kind="absent"))
    figures = {
        f"curve-{split}-{metric}": _chart(study, split, metric)
        for split, metric in CHARTS
        if any(has(m.evidence.curve, f"{split}.{metric}") for m in study.members)
    }
    lead = "Thin lines are single seeds; a bold line is the mean of those still training."
    return Exhibit(
        title,
        join([paragraph(lead, kind="lead"), tag("div", {"class": "pair"}, *figures.values())]),
        figures,
    )


def _chart(study: StudyEvidence, split: str, metric: str) -> Markup:
    key = f"{split}.{metric}"
    runs = [m for m in study.members if has(m.evidence.curve, key)]
    longest = max((m.evidence.curve for m in runs), key=len)
    epochs = column(longest, "epoch")
    all_values = [v for m in runs for v in column(m.evidence.curve, key)]
    right = min(max(len(label) for label in study.labels) * 6.6, 150) + 22
    top, _, bottom, left = MARGINS
    scale = y_scale(all_values, metric)
    frame = Frame(x_scale(epochs), scale, 500, 290, (top, right, bottom, left))
    label, unit = y_text(metric)
    thin = [
        Line(
            column(m.evidence.curve, "epoch"),
            clipped(column(m.evidence.curve, key), scale),
            colour(study, m.label),
            style="thin",
        )
        for m in runs
        if len(study.of(m.label)) > 1
    ]
    means = {name: _mean(study.of(name), key) for name in study.labels}
    bold = [
        Line(epochs[: len(v)], clipped(v, scale), colour(study, name), name)
        for name, v in means.items()
        if v
    ]
    words = f"{split.capitalize()} {'top-1' if metric == 'top_1' else 'loss'}"
    return _svg.drawing(
        frame.width,
        frame.height,
        f"{words} by epoch, one colour a variant",
        _svg.axes(
            frame,
            "epoch",
            f"{split}: {label}",
            lambda v: f"{v:g}",
            lambda v: tick(metric, v),
            x_ticks=whole_ticks(frame.x),
        ),
        _svg.curves(frame, [*thin, *bold]),
        data={
            "hover": _svg.hover(
                frame,
                epochs,
                [(n, colour(study, n), _padded(v, len(epochs))) for n, v in means.items()],
                "epoch",
                unit,
            )
        },
    )


def _mean(runs: list[Evidence], key: str) -> list[float]:
    """Return the mean over seeds, epoch by epoch, of those that got so far."""
    columns = [column(run.curve, key) for run in runs if has(run.curve, key)]
    if not columns:
        return []
    table = np.array([_padded(values, max(map(len, columns))) for values in columns])
    known = np.isfinite(table)
    total = np.where(known, table, 0).sum(axis=0)
    count = known.sum(axis=0)
    return [float(t / c) if c else math.nan for t, c in zip(total, count, strict=True)]


def _padded(values: list[float], length: int) -> list[float]:
    return values + [math.nan] * (length - len(values))
