"""What the run does not know: accuracy against coverage, and unlike images."""

import numpy as np
from numpy.typing import NDArray

from hundredfold import calibration, wording
from hundredfold.metrics import wilson
from hundredfold.reports import charts
from hundredfold.reports.charts import Frame, Line, Scale
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.html import Markup, join, number, paragraph, table
from hundredfold.reports.run_evidence import RunEvidence

TITLE = "What it does not know"
ORDER = 62

POINTS = 300  # of the curve, at most
LEAST = 20  # accepted images of its first point
NEAR = (
    'Images are left out by "unknown", the generalised entropy of their probabilities, highest '
    "first. It tells well what is far from the training images. Images of classes close to the "
    "run's own are told apart about 80 % of the time, by this and by all published scores."
)


def rejection(evidence: RunEvidence) -> Exhibit:
    """Show accuracy against coverage with the chosen bound, and AUROC against unlike images."""
    if not evidence.split:
        return missing("No logits are stored yet, so there is no bound to choose.")
    values = calibration.unknown(evidence.calibration.probabilities(evidence.logits))
    correct = evidence.logits.argmax(axis=1) == evidence.labels
    figures = {"selective": _figure(evidence, values, correct)}
    body = [
        paragraph(_sentence(evidence, values, correct), kind="lead"),
        *figures.values(),
        paragraph(NEAR, kind="quiet"),
        _unlike(evidence),
    ]
    return Exhibit(join(body), figures)


def _sentence(
    evidence: RunEvidence, values: NDArray[np.float32], correct: NDArray[np.bool_]
) -> str:
    bound = evidence.calibration.reject
    if bound is None and evidence.kept_none:
        return "No bound can be chosen: the run was trained on all images."
    if bound is None:
        return (
            "No bound is chosen: every image is of the most probable class. "
            "hundredfold evaluate --reject-at accuracy=0.95 chooses one on validation images."
        )
    accepted = ~bound.rejects(values)
    kept = wording.percent(float(accepted.mean()))
    if not accepted.any():
        return f"The bound chosen for {bound.rule} accepts none of the {evidence.split} images."
    accuracy = float(correct[accepted].mean())
    low, high = wilson(accuracy, int(accepted.sum()))
    interval = wording.interval({"low": low, "high": high})
    return (
        f"The bound chosen for {bound.rule} on validation images accepts {kept} of the "
        f"{evidence.split} images; {wording.percent(accuracy)} of those are correct "
        f"(95 % interval {interval})."
    )


def _figure(
    evidence: RunEvidence, values: NDArray[np.float32], correct: NDArray[np.bool_]
) -> Markup:
    curve = calibration.selective(values, correct)
    enough = np.flatnonzero(curve.accepted >= min(LEAST, curve.n))
    shown = enough[np.unique(np.linspace(0, len(enough) - 1, POINTS).round().astype(int))]
    coverage, accuracy = curve.coverage[shown], curve.accuracy[shown]
    lowest = max(0.0, np.floor(float(accuracy.min()) * 10 - 0.5) / 10)
    frame = Frame(Scale(0, 1), Scale(float(lowest), 1.005), 500, 300, (14, 16, 40, 48))
    parts = [charts.curves(frame, [Line(coverage.tolist(), accuracy.tolist(), 0)])]
    bound = evidence.calibration.reject
    if bound is not None and not bound.rejects(values).all():
        accepted = ~bound.rejects(values)
        part, right = float(accepted.mean()), float(correct[accepted].mean())
        hint = f"{bound.rule}: coverage {wording.percent(part)}, accuracy {wording.percent(right)}"
        parts.append(charts.circle(*frame.at(part, max(right, lowest)), 6, "dot fill c1", hint))
    return charts.drawing(
        frame.width,
        frame.height,
        "Accuracy of the accepted images by the fraction that is accepted",
        charts.axes(frame, "accepted images, %", "accuracy of those, %", _tick, _tick),
        *parts,
    )


def _unlike(evidence: RunEvidence) -> Markup:
    found = evidence.run.stored("unlike")
    if not found or not evidence.is_of_weights(found):
        return paragraph(
            "hundredfold evaluate --unlike scores how well unlike images are recognised.",
            kind="quiet",
        )
    rows = [
        [kind["name"], number(wording.count(kind["n"])),
         number(wording.percent(kind["auroc"]["value"]), bar=kind["auroc"]["value"]),
         number(wording.interval(kind["auroc"]))]
        for kind in found["kinds"]
    ]  # fmt: skip
    caption = (
        "AUROC: how often an unlike image has a higher unknown-score than one of the "
        f"{found['n']:,} {found['split']} images; 50 % is chance"
    )
    head = ["Unlike images", "Images", "AUROC", "95 % interval"]
    return table(head, rows, kind="numbers named", caption=caption)


def _tick(value: float) -> str:
    return f"{100 * value:g}"
