"""Whether the model knows what it knows: confidence against how often it is right."""

import math

import numpy as np

from hundredfold import wording
from hundredfold.metrics.tables.reliability import Reliability, reliability
from hundredfold.metrics.tables.temperature import temperature
from hundredfold.reports import _svg
from hundredfold.reports._evidence import Evidence, Exhibit
from hundredfold.reports._html import Markup, details, join, paragraph, table, tag
from hundredfold.reports._svg import Frame, Scale

BINS = 15
Z95 = 1.96
LEGEND = (
    "Dots: images by confidence, with 95 % intervals; larger dots hold more images. On the "
    "diagonal confidence is honest; below it the model is too sure."
)


def calibration(evidence: Evidence) -> Exhibit:
    """Draw the reliability diagram and the histogram of confidence, and name the error."""
    title = "Calibration"
    if not evidence.split:
        words = "No logits are stored yet, so confidence cannot be checked."
        return Exhibit(title, paragraph(words, kind="absent"))
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
    return Exhibit(title, body, figures)


def error(bins: Reliability) -> float:
    """Return the expected calibration error: the mean distance of dot and diagonal."""
    gap = np.abs(bins.confidence - bins.accuracy)
    return float(np.nansum(gap * bins.count) / bins.count.sum())


def _sentence(evidence: Evidence, bins: Reliability) -> str:
    total = bins.count.sum()
    sure = float(np.nansum(bins.confidence * bins.count) / total)
    right = float(np.nansum(bins.accuracy * bins.count) / total)
    score = evidence.score("ece")
    value = score.get("value", error(bins))
    inside = f" (95 % interval {wording.interval(score)})" if score.get("low") is not None else ""
    far = abs(sure - right)
    verdict = (
        "about as sure as it should be"
        if far < 0.01
        else f"{'too sure' if sure > right else 'not sure enough'} by {100 * far:.1f} points"
    )
    return (
        f"On average the model is {wording.percent(sure)} sure and {wording.percent(right)} right: "
        f"{verdict}. The expected calibration error is {wording.percent(value)}{inside}."
        f"{_cure(evidence)}"
    )


def _cure(evidence: Evidence) -> str:
    """Say what one temperature, fitted on validation, would make of the test split."""
    logits, labels = evidence.run.logits("validation"), evidence.run.labels("validation")
    if evidence.split != "test" or logits is None or labels is None:
        return ""
    warmth = temperature(logits, labels)
    after = error(reliability(evidence.logits / warmth, evidence.labels, bins=BINS))
    return (
        f" With logits divided by {warmth:.2f}, the temperature that fits the validation images, "
        f"it would be {wording.percent(after)}."
    )


def _diagram(bins: Reliability) -> Markup:
    frame = Frame(Scale(0, 1), Scale(0, 1), 420, 380, (14, 16, 40, 48))
    most = bins.count.max()
    parts = [_svg.path([frame.at(0, 0), frame.at(1, 1)], "mark")]
    for k in np.flatnonzero(bins.count).tolist():
        sure, right, n = float(bins.confidence[k]), float(bins.accuracy[k]), int(bins.count[k])
        low, high = _wilson(right, n)
        x, y = frame.at(sure, right)
        shares = f"{wording.percent(sure)} sure, {wording.percent(right)} right"
        hint = f"{shares} ({wording.count(n)} images)"
        parts.append(_svg.path([frame.at(sure, low), frame.at(sure, high)], "whisker c0"))
        parts.append(_svg.circle(x, y, 3 + 5 * math.sqrt(n / most), "dot fill c0", hint))
    return _svg.drawing(
        frame.width,
        frame.height,
        "Reliability diagram: share of images right by confidence",
        _svg.axes(frame, "confidence, %", "right, %", _tick, _tick),
        *parts,
    )


def _histogram(bins: Reliability) -> Markup:
    share = bins.count / bins.count.sum()
    frame = Frame(Scale(0, 1), Scale(0, float(share.max()) * 1.08), 420, 380, (14, 16, 40, 48))
    boxes = []
    for k, value in enumerate(share.tolist()):
        (x, y), (end, _) = (
            frame.at(float(bins.edges[k]), value),
            frame.at(float(bins.edges[k + 1]), 0),
        )
        right = float(bins.accuracy[k])
        low, high = (wording.percent(float(edge), 0) for edge in bins.edges[k : k + 2])
        hint = f"{low} to {high} sure: {wording.count(int(bins.count[k]))} images"
        boxes.append(_svg.rectangle(x + 1, y, end - x - 2, frame.bottom - y, "bar fill c3", hint))
        if value and math.isfinite(right):
            tall = (frame.bottom - y) * right
            boxes.append(
                _svg.rectangle(x + 1, frame.bottom - tall, end - x - 2, tall, "bar fill c0", hint)
            )
    legend = [
        _svg.rectangle(frame.left + 12, frame.top + 4, 10, 10, "bar fill c0", round_by=2),
        _svg.text(frame.left + 28, frame.top + 13, "right", "note"),
        _svg.rectangle(frame.left + 12, frame.top + 22, 10, 10, "bar fill c3", round_by=2),
        _svg.text(frame.left + 28, frame.top + 31, "wrong", "note"),
    ]
    return _svg.drawing(
        frame.width,
        frame.height,
        "Histogram of confidence, images right and wrong",
        _svg.axes(frame, "confidence, %", "share of the images, %", _tick, _tick),
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
        ["Confidence", "Images", "Mean confidence", "Right"],
        rows,
        kind="numbers",
        caption="Bins of confidence",
    )


def _wilson(share: float, n: int) -> tuple[float, float]:
    centre = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 * math.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2)) / (1 + Z95**2 / n)
    return centre - half, centre + half


def _tick(value: float) -> str:
    return f"{100 * value:g}"
