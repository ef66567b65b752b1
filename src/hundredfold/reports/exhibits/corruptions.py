"""Accuracy under corruptions of the images, beside the undisturbed score."""

from typing import Any

from hundredfold import wording
from hundredfold.reports import charts
from hundredfold.reports.charts import Frame, Line, Scale
from hundredfold.reports.corrupted import SOURCE, mean_accuracy, strength_axes
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.html import Markup, details, join, number, paragraph, table
from hundredfold.reports.run_evidence import RunEvidence

TITLE = "Corrupted images"
ORDER = 64


def corruptions(evidence: RunEvidence) -> Exhibit:
    """Show accuracy by strength of each corruption, from the undisturbed images on."""
    found = evidence.run.stored("corruptions")
    if not found:
        return missing("hundredfold evaluate --corruptions scores the run on corrupted images.")
    if not evidence.is_of_weights(found):
        return missing("The scores of corrupted images are of other weights than those shown here.")
    figures = {"corruptions": _figure(found)}
    mean = mean_accuracy(found)
    lead = (
        f"Undisturbed, {wording.percent(found['undisturbed']['value'])} of {found['n']:,} "
        f"{found['split']} images are correct; corrupted, {wording.percent(mean[-1])} at the "
        f"highest strength and {wording.percent(sum(mean[1:]) / len(mean[1:]))} on average."
    )
    body = [
        paragraph(lead, kind="lead"),
        *figures.values(),
        paragraph(SOURCE, kind="quiet"),
        details("The numbers", _numbers(found)),
    ]
    return Exhibit(join(body), figures)


def _figure(found: dict[str, Any]) -> Markup:
    clean = float(found["undisturbed"]["value"])
    lines = [
        Line(list(range(6)), [clean, *(score["value"] for score in scores)], k, name)
        for k, (name, scores) in enumerate(found["corruptions"].items())
    ]
    frame = Frame(Scale(0, 5), Scale(0, 1), 560, 320, (14, 100, 40, 48))
    return charts.drawing(
        frame.width,
        frame.height,
        "Accuracy by strength of each corruption",
        strength_axes(frame),
        charts.curves(frame, lines),
    )


def _numbers(found: dict[str, Any]) -> Markup:
    rows = [
        [name, *(number(wording.percent(s["value"]), bar=s["value"]) for s in scores)]
        for name, scores in found["corruptions"].items()
    ]
    head = ["Corruption", *(f"Strength {k}" for k in range(1, 6))]
    return table(head, rows, kind="numbers named", caption="Accuracy by corruption and strength")
