"""The variants of a study under corruptions of the images, in one figure."""

import numpy as np

from hundredfold.reports import charts
from hundredfold.reports.charts import Frame, Line, Scale
from hundredfold.reports.corrupted import SOURCE, mean_accuracy, strength_axes
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.html import Markup, join, paragraph
from hundredfold.reports.study_evidence import StudyEvidence

TITLE = "Corrupted images"
ORDER = 45


def variant_corruptions(study: StudyEvidence) -> Exhibit:
    """Show the mean accuracy over corruptions by strength, a line per variant."""
    by_label: dict[str, list[list[float]]] = {}
    splits = set()
    for member in study.members:
        found = member.evidence.run.stored("corruptions")
        if found and member.evidence.is_of_weights(found):
            by_label.setdefault(member.label, []).append(mean_accuracy(found))
            splits.add(found["split"])
    if not by_label:
        return missing(
            "hundredfold evaluate STUDY --corruptions scores the runs on corrupted images."
        )
    if len(splits) > 1:
        return missing("The runs are scored on corrupted images of different splits.")
    figures = {"corruptions": _figure(study, by_label)}
    units = ", ".join(f"{label} {len(rows)}" for label, rows in by_label.items())
    lead = (
        f"Mean accuracy over all corruptions of {splits.pop()} images, and over the runs of a "
        f"variant ({units}). A difference here is not tested."
    )
    body = [paragraph(lead, kind="lead"), *figures.values(), paragraph(SOURCE, kind="quiet")]
    return Exhibit(join(body), figures)


def _figure(study: StudyEvidence, by_label: dict[str, list[list[float]]]) -> Markup:
    lines = [
        Line(list(range(6)), np.mean(rows, axis=0).tolist(), study.colour(label), label)
        for label, rows in by_label.items()
    ]
    longest = max(len(label) for label in by_label)
    frame = Frame(Scale(0, 5), Scale(0, 1), 560, 320, (14, min(longest * 6.6, 150) + 22, 40, 48))
    return charts.drawing(
        frame.width,
        frame.height,
        "Mean accuracy over corruptions by strength, one colour per variant",
        strength_axes(frame),
        charts.curves(frame, lines),
    )
