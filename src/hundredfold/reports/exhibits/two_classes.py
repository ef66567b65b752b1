"""Two classes: ROC and precision-recall curves, sensitivity and specificity by threshold."""

import math

import numpy as np
from numpy.typing import NDArray

from hundredfold import wording
from hundredfold.metrics import wilson
from hundredfold.metrics.auc import auc
from hundredfold.metrics.tables.roc import Roc, roc
from hundredfold.reports import charts
from hundredfold.reports.charts import Frame, Line, Scale
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.html import Markup, join, number, paragraph, table, tag
from hundredfold.reports.run_evidence import RunEvidence

TITLE = "Two classes"
ORDER = 45
CLASSES = 2

POINTS = 400  # of a curve, at most
WANTED = 0.95  # sensitivity or specificity of the thresholds that are proposed


def two_classes(evidence: RunEvidence) -> Exhibit:
    """Show ROC and precision-recall curves with the threshold 0.5, and a table of thresholds."""
    if not evidence.split:
        return missing("No logits are stored yet, so there is no ROC curve.")
    if len(evidence.classes) != CLASSES:
        return missing("A ROC curve is of two classes.")
    curve = roc(evidence.logits, evidence.labels)
    if not curve.positives or not curve.negatives:
        return missing(f"All {evidence.split} images are of one class, so there is no ROC curve.")
    figures = {"roc": _roc(curve), "precision-recall": _precision_recall(curve)}
    body = [
        paragraph(_sentence(evidence, curve), kind="lead"),
        tag("div", {"class": "pair"}, *figures.values()),
        _thresholds(evidence, curve),
    ]
    return Exhibit(join(body), figures)


def _sentence(evidence: RunEvidence, curve: Roc) -> str:
    area = auc(evidence.logits, evidence.labels)
    interval = wording.interval({"low": area.low, "high": area.high})
    hits, negatives = _counts(curve, 0.0)
    return (
        f"The area under the ROC curve is {wording.percent(area.value)} (95 % interval {interval}, "
        f"50 % is chance), the average precision {wording.percent(curve.average_precision)}. "
        f"Positive is the second class, {evidence.classes[1]}: at the threshold 0.5, "
        f"{wording.percent(hits / curve.positives)} of its {curve.positives:,} images are found "
        f"(sensitivity), and {wording.percent(negatives / curve.negatives)} of the "
        f"{curve.negatives:,} images of {evidence.classes[0]} are left (specificity)."
    )


def _counts(curve: Roc, odds: float) -> tuple[int, int]:
    """Return the positive images that reach the odds, and the negative ones that do not."""
    reached = int((curve.odds >= odds).sum())
    if not reached:
        return 0, curve.negatives
    return int(curve.hits[reached - 1]), curve.negatives - int(curve.false_alarms[reached - 1])


def _roc(curve: Roc) -> Markup:
    x, y = np.append(0, 1 - curve.specificity), np.append(0, curve.sensitivity)
    frame = Frame(Scale(0, 1), Scale(0, 1), 420, 380, (14, 16, 40, 48))
    hits, negatives = _counts(curve, 0.0)
    at = 1 - negatives / curve.negatives, hits / curve.positives
    chance = charts.path([frame.at(0, 0), frame.at(1, 1)], "mark")
    return _drawn(
        frame, "ROC curve: sensitivity by 1 - specificity",
        ("negative images taken for positive, %", "positive images found, %"), (x, y), at, chance,
    )  # fmt: skip


def _precision_recall(curve: Roc) -> Markup:
    x, y = np.append(0, curve.sensitivity), np.append(curve.precision[0], curve.precision)
    frame = Frame(Scale(0, 1), Scale(0, 1), 420, 380, (14, 16, 40, 48))
    hits, negatives = _counts(curve, 0.0)
    taken = hits + curve.negatives - negatives
    at = (hits / curve.positives, hits / taken) if taken else None
    prevalence = curve.positives / (curve.positives + curve.negatives)
    chance = charts.path([frame.at(0, prevalence), frame.at(1, prevalence)], "mark")
    return _drawn(
        frame, "Precision-recall curve",
        ("positive images found (recall), %", "of those taken for positive, positive, %"), (x, y),
        at, chance,
    )  # fmt: skip


def _drawn(
    frame: Frame,
    title: str,
    labels: tuple[str, str],
    points: tuple[NDArray[np.float64], NDArray[np.float64]],
    half: tuple[float, float] | None,
    chance: Markup,
) -> Markup:
    """Return a chart of a curve, the line of chance, and a dot at the threshold 0.5."""
    shown = np.unique(np.linspace(0, len(points[0]) - 1, POINTS).round().astype(int))
    line = Line(points[0][shown].tolist(), points[1][shown].tolist(), 0)
    parts = [chance, charts.curves(frame, [line])]
    if half is not None:
        parts.append(charts.circle(*frame.at(*half), 6, "dot fill c1", "threshold 0.5"))
    axes = charts.axes(frame, *labels, _tick, _tick)
    return charts.drawing(frame.width, frame.height, title, axes, *parts)


def _thresholds(evidence: RunEvidence, curve: Roc) -> Markup:
    rows = [_row(evidence, curve, "as predicted", 0.0)]
    chosen_on = _chosen_on(evidence)
    if chosen_on is not None:
        rows += [_row(evidence, curve, name, odds) for name, odds in _proposed(chosen_on)]
    of_itself = "these" if evidence.split == "validation" else "validation"
    caption = "Probability from which on an image is taken for positive; 95 % intervals"
    if chosen_on is not None:
        caption += f". All but the first are chosen on {of_itself} images"
    head = ["Threshold", "Probability", "Sensitivity", "Specificity", "Precision"]
    return table(head, rows, kind="numbers named", caption=caption)


def _chosen_on(evidence: RunEvidence) -> Roc | None:
    """Return the curve of validation images; None without any of the same weights."""
    run = evidence.run
    logits = run.logits("validation")
    labels = None if logits is None else run.labels("validation")
    both = "validation", evidence.split or ""
    weights = [run.scored(split).get("weights", "") for split in both]
    if logits is None or labels is None or weights[0] != weights[1]:
        return None
    curve = roc(logits, labels)
    return curve if curve.positives and curve.negatives else None


def _proposed(curve: Roc) -> list[tuple[str, float]]:
    """Return names and log-odds of thresholds: balanced, sensitive and specific ones."""
    enough = curve.specificity >= WANTED  # of the highest thresholds
    found = [
        ("largest sum of both", int(np.argmax(curve.sensitivity + curve.specificity))),
        (f"sensitivity {wording.percent(WANTED, 0)}", int(np.argmax(curve.sensitivity >= WANTED))),
    ]
    if enough.any():
        found.append((f"specificity {wording.percent(WANTED, 0)}", int(enough.sum()) - 1))
    return [(name, float(curve.odds[k : k + 2].mean())) for name, k in found]


def _row(evidence: RunEvidence, curve: Roc, name: str, odds: float) -> list[str | Markup]:
    hits, negatives = _counts(curve, odds)
    taken = hits + curve.negatives - negatives
    scaled = odds / evidence.calibration.temperature
    probability = 1 / (1 + math.exp(-min(max(scaled, -700.0), 700.0)))
    fractions = [(hits, curve.positives), (negatives, curve.negatives), (hits, taken)]
    return [name, number(f"{probability:.3f}"), *(_fraction(*pair) for pair in fractions)]


def _fraction(part: int, whole: int) -> Markup:
    if not whole:
        return number(wording.NOTHING)
    low, high = wilson(part / whole, whole)
    interval = wording.interval({"low": low, "high": high})
    return number(f"{wording.percent(part / whole)} ({interval})", sort=part / whole)


def _tick(value: float) -> str:
    return f"{100 * value:g}"
