"""Calibration: the confidence of predictions against their accuracy."""

import math

import numpy as np

from hundredfold import wording
from hundredfold.metrics import wilson
from hundredfold.metrics.tables.reliability import Reliability, reliability
from hundredfold.reports import charts
from hundredfold.reports.charts import Frame, Scale
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.html import Markup, details, join, paragraph, table, tag
from hundredfold.reports.run_evidence import RunEvidence

TITLE = "Calibration"
ORDER = 60

BINS = 15
LEGEND = (
    "Dots: images by confidence, with 95 % intervals; larger dots hold more images. On the "
    "diagonal confidence equals accuracy; below it the model is overconfident."
)


def calibration(evidence: RunEvidence) -> Exhibit:
    """Show the reliability diagram, the histogram of confidence, and the calibration error."""
    if not evidence.split:
        return missing("No logits are stored yet, so confidence cannot be checked.")
    bins = reliability(evidence.logits, evidence.labels, bins=BINS)
    figures = {"reliability": _diagram(bins), "confidence": _histogram(bins)}
    body = join(
        [
            paragraph(_sentence(evidence, bins), kind="lead"),
            tag("div", {"class": "pair"}, *figures.values()),
            paragraph(
                LEGEND,
                kind="quiet",
            ),
            details("The numbers", _numbers(bins)),
        ]
    )
    return Exhibit(body, figures)


def error(bins: Reliability) -> float:
    """Return the expected calibration error in [0, 1]: the mean distance of dot and diagonal."""
    gap = np.abs(bins.confidence - bins.accuracy)
    return float(np.nansum(gap * bins.count) / bins.count.sum())


def _sentence(evidence: RunEvidence, bins: Reliability) -> str:
    total = bins.count.sum()
    confidence = float(np.nansum(bins.confidence * bins.count) / total)
    accuracy = float(np.nansum(bins.accuracy * bins.count) / total)
    score = evidence.score("ece")
    value = score.get("value", error(bins))
    inside = f" (95 % interval {wording.interval(score)})" if score.get("low") is not None else ""
    gap = abs(confidence - accuracy)
    verdict = (
        "about equal"
        if gap < 0.01
        else f"{'over' if confidence > accuracy else 'under'}confident by {100 * gap:.1f} points"
    )
    return (
        f"The mean confidence is {wording.percent(confidence)}, the accuracy "
        f"{wording.percent(accuracy)}: {verdict}. The expected calibration error is "
        f"{wording.percent(value)}{inside}.{_rescaled(evidence)}"
    )


def _rescaled(evidence: RunEvidence) -> str:
    """Return a sentence on the error after the temperature that fits the validation images."""
    how = evidence.calibration
    if how.reason:
        return f" The temperature stays at 1: {how.reason}."
    if not how.n:
        return ""
    after = error(reliability(evidence.logits / how.temperature, evidence.labels, bins=BINS))
    of_itself = ", the images it was fitted on" if evidence.split == "validation" else ""
    return (
        " These numbers and the diagram are of the logits as they are, as all scores are, so that "
        f"runs stay comparable. Predictions divide logits by {how.temperature:.2f}, the "
        "temperature that fits the validation images: the error is then "
        f"{wording.percent(after)}{of_itself}."
    )


def _diagram(bins: Reliability) -> Markup:
    frame = Frame(Scale(0, 1), Scale(0, 1), 420, 380, (14, 16, 40, 48))
    most = bins.count.max()
    parts = [charts.path([frame.at(0, 0), frame.at(1, 1)], "mark")]
    for k in np.flatnonzero(bins.count).tolist():
        confidence, accuracy = float(bins.confidence[k]), float(bins.accuracy[k])
        n = int(bins.count[k])
        ends = [frame.at(confidence, end) for end in wilson(accuracy, n)]
        x, y = frame.at(confidence, accuracy)
        means = f"confidence {wording.percent(confidence)}, accuracy {wording.percent(accuracy)}"
        hint = f"{means} ({wording.count(n)} images)"
        parts.append(charts.path(ends, "whisker c0"))
        parts.append(charts.circle(x, y, 3 + 5 * math.sqrt(n / most), "dot fill c0", hint))
    return charts.drawing(
        frame.width,
        frame.height,
        "Reliability diagram: accuracy by confidence",
        charts.axes(frame, "confidence, %", "accuracy, %", _tick, _tick),
        *parts,
    )


def _histogram(bins: Reliability) -> Markup:
    fraction = bins.count / bins.count.sum()
    frame = Frame(Scale(0, 1), Scale(0, float(fraction.max()) * 1.08), 420, 380, (14, 16, 40, 48))
    boxes = []
    for k, value in enumerate(fraction.tolist()):
        (x, y), (end, _) = (
            frame.at(float(bins.edges[k]), value),
            frame.at(float(bins.edges[k + 1]), 0),
        )
        accuracy = float(bins.accuracy[k])
        low, high = (wording.percent(float(edge), 0) for edge in bins.edges[k : k + 2])
        hint = f"confidence {low} to {high}: {wording.count(int(bins.count[k]))} images"
        boxes.append(charts.rectangle(x + 1, y, end - x - 2, frame.bottom - y, "bar fill c3", hint))
        if value and math.isfinite(accuracy):
            tall = (frame.bottom - y) * accuracy
            boxes.append(
                charts.rectangle(x + 1, frame.bottom - tall, end - x - 2, tall, "bar fill c0", hint)
            )
    legend = [
        charts.rectangle(frame.left + 12, frame.top + 4, 10, 10, "bar fill c0", round_by=2),
        charts.text(frame.left + 28, frame.top + 13, "correct", "note"),
        charts.rectangle(frame.left + 12, frame.top + 22, 10, 10, "bar fill c3", round_by=2),
        charts.text(frame.left + 28, frame.top + 31, "wrong", "note"),
    ]
    return charts.drawing(
        frame.width,
        frame.height,
        "Histogram of confidence, correct and wrong predictions",
        charts.axes(frame, "confidence, %", "fraction of the images, %", _tick, _tick),
        *boxes,
        *legend,
    )


def _numbers(bins: Reliability) -> Markup:
    rows = [
        [
            f"{100 * bins.edges[k]:.0f}–{100 * bins.edges[k + 1]:.0f} %",
            *(
                tag("td", {"class": "number"}, text)
                for text in (
                    wording.count(int(bins.count[k])),
                    wording.percent(float(bins.confidence[k])),
                    wording.percent(float(bins.accuracy[k])),
                )
            ),
        ]
        for k in range(len(bins.count))
    ]
    return table(
        ["Confidence", "Images", "Mean confidence", "Accuracy"],
        rows,
        kind="numbers",
        caption="Bins of confidence",
    )


def _tick(value: float) -> str:
    return f"{100 * value:g}"
