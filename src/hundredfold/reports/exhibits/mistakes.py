"""The most confident mistakes: images that are misclassified with high confidence."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hundredfold import data, wording
from hundredfold.errors import HundredfoldError
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.html import Markup, join, paragraph, tag
from hundredfold.reports.pictures import from_file, heat, picture
from hundredfold.reports.run_evidence import RunEvidence

TITLE = "Most confident mistakes"
ORDER = 50

MOST = 24
EXPLAINED = 6  # images with a map of what mattered
LEGEND = (
    "Bold is the prediction with its confidence; below it the label with its probability. Some of "
    "the labels may be wrong."
)

MAPPED = (
    "Below the first ones stands what mattered for the prediction: where it is dark, a cover over "
    "that place changes little; where it is bright and warm, the prediction falls most (occlusion)."
)


@dataclass(frozen=True)
class _Shown:
    """An image: its pixels as shown, those that the network gets, and the name of its file."""

    pixels: NDArray[np.uint8]
    given: NDArray[np.uint8]
    name: str


def mistakes(evidence: RunEvidence) -> Exhibit:
    """Show the mistakes of highest confidence, with label and prediction."""
    if not evidence.split:
        return missing("No logits are stored yet, so there are no mistakes to show.")
    probabilities = evidence.calibration.probabilities(evidence.logits).astype(np.float64)
    worst = most_confident_wrong(probabilities, evidence.labels, MOST)
    if not worst:
        return missing("There is no mistake to show.")
    images = _images(evidence, worst)
    if isinstance(images, str):
        return Exhibit(paragraph(images, kind="absent"))
    heats = _heats(evidence, probabilities, worst, images)
    rest = [Markup()] * (len(images) - len(heats))
    shown = [
        _card(evidence, probabilities, k, image, below)
        for k, image, below in zip(worst, images, [*heats, *rest], strict=True)
    ]
    mapped = f" {MAPPED}" if heats else ""
    lead = f"The {wording.plural(len(shown), 'mistake')} of highest confidence. {LEGEND}{mapped}"
    return Exhibit(join([paragraph(lead, kind="lead"), tag("div", {"class": "gallery"}, *shown)]))


def most_confident_wrong(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], most: int
) -> list[int]:
    """Return the indices of wrong predictions, the most confident first."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    order = np.argsort(-probabilities[wrong].max(axis=1), kind="stable")[:most]
    return [int(k) for k in wrong[order]]


def _heats(
    evidence: RunEvidence,
    probabilities: NDArray[np.float64],
    worst: list[int],
    images: list[_Shown],
) -> list[Markup]:
    """Return pictures of what mattered in the first images; none where nothing can compute it."""
    if evidence.explain is None:
        return []
    first = images[:EXPLAINED]
    predicted = [int(probabilities[k].argmax()) for k in worst[:EXPLAINED]]
    maps = evidence.explain([image.given for image in first], predicted)
    return [
        picture(heat(image.given, falls), f"What mattered for {evidence.classes[label]}")
        for image, falls, label in zip(first, maps, predicted, strict=False)
    ]


def _images(evidence: RunEvidence, which: list[int]) -> list[_Shown] | str:
    """Return pixels and file name of some images of the split, or a sentence on why there are none.

    Where the images are files, the pixels are those of the file, not of the training size.
    """
    rows = evidence.run.rows(str(evidence.split))
    if rows is None:
        return "The run did not store which images it was scored on, so they cannot be shown."
    other = "The data here are not those the run was trained on, so the images are not shown."
    if not evidence.data.get("digest"):
        return other
    try:
        opened = data.load(str(evidence.recipe.get("data")), evidence.images)
        if opened.digest != evidence.data["digest"]:
            return other
        cut = evidence.split == "validation" and "validation" not in opened.parts
        part = "train" if cut else str(evidence.split)
        stored = replace(opened.parts[part](), indices=rows[which])
        if not _same_labels(stored.labels, rows, evidence.labels):
            return "The images here are not those that were scored, so they are not shown."
        return [
            _Shown(_pixels(evidence, stored, row, name), np.asarray(stored.pixels[row]), name)
            for row, name in zip(rows[which], stored.files(part), strict=True)
        ]
    except (HundredfoldError, OSError, LookupError) as error:
        reason = error.message if isinstance(error, HundredfoldError) else str(error)
        return (
            f"The images cannot be read, so they are not shown: {reason}. "
            "Name their folder with --data-dir."
        )


def _same_labels(
    labels: NDArray[np.int64], rows: NDArray[np.int64], scored: NDArray[np.int64]
) -> bool:
    """Return whether the rows of a part have the labels that were scored."""
    return bool(rows.max(initial=-1) < len(labels)) and np.array_equal(labels[rows], scored)


def _pixels(evidence: RunEvidence, part: data.Split, row: int, name: str) -> NDArray[np.uint8]:
    original = from_file(evidence.images.folder, name) if part.names else None
    return np.asarray(part.pixels[row]) if original is None else original


def _card(
    evidence: RunEvidence,
    probabilities: NDArray[np.float64],
    k: int,
    image: _Shown,
    below: Markup,
) -> Markup:
    true, predicted = int(evidence.labels[k]), int(probabilities[k].argmax())
    names = evidence.classes
    alternative = f"Image {k} of the split: {names[true]}, predicted as {names[predicted]}"
    return tag(
        "figure",
        {},
        picture(image.pixels, alternative),
        below,
        tag(
            "figcaption",
            {},
            tag("b", {}, names[predicted]),
            tag(
                "span",
                {"class": "number"},
                " " + wording.percent(float(probabilities[k, predicted])),
            ),
            tag(
                "span",
                {"class": "true"},
                "label ",
                names[true],
                tag(
                    "span",
                    {"class": "number"},
                    " " + wording.percent(float(probabilities[k, true])),
                ),
            ),
            tag("span", {"class": "file"}, image.name),
        ),
    )
