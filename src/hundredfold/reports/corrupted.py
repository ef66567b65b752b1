"""What the pages of a run and of a study share about corrupted images."""

from typing import Any

from hundredfold.reports import charts
from hundredfold.reports.charts import Frame
from hundredfold.reports.html import Markup

SOURCE = (
    "Corruptions and their strengths are those of Hendrycks and Dietterich 2019 (CIFAR-10-C below "
    "128 pixels, ImageNet-C from there on); occlusion, by a grey rectangle, is not one of theirs."
)


def mean_accuracy(found: dict[str, Any]) -> list[float]:
    """Return the mean accuracy over corruptions by strength, from 0 (undisturbed) on."""
    by_strength = zip(*found["corruptions"].values(), strict=True)
    means = [sum(s["value"] for s in scores) / len(scores) for scores in by_strength]
    return [float(found["undisturbed"]["value"]), *means]


def strength_axes(frame: Frame) -> Markup:
    """Return the axes of accuracy by strength."""
    return charts.axes(
        frame, "strength (0: undisturbed)", "accuracy, %", lambda v: f"{v:g}",
        lambda v: f"{100 * v:g}",
    )  # fmt: skip
