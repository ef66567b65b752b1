"""The most confident mistakes: images that are misclassified with high confidence."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hundredfold import data, wording
from hundredfold.errors import HundredfoldError
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.html import Markup, join, paragraph, tag
from hundredfold.reports.pictures import from_file, picture
from hundredfold.reports.run_evidence import RunEvidence

TITLE = "Most confident mistakes"
ORDER = 50

MOST = 24
LEGEND = (
    "Bold is the prediction with its confidence; below it the label with its probability. Some of "
    "the labels may be wrong."
)


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
    shown = [
        _card(evidence, probabilities, k, image) for k, image in zip(worst, images, strict=True)
    ]
    lead = f"The {wording.plural(len(shown), 'mistake')} of highest confidence. {LEGEND}"
    return Exhibit(join([paragraph(lead, kind="lead"), tag("div", {"class": "gallery"}, *shown)]))


def most_confident_wrong(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], most: int
) -> list[int]:
    """Return the indices of wrong predictions, the most confident first."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    order = np.argsort(-probabilities[wrong].max(axis=1), kind="stable")[:most]
    return [int(k) for k in wrong[order]]


def _images(evidence: RunEvidence, which: list[int]) -> list[tuple[NDArray[np.uint8], str]] | str:
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
            (_pixels(evidence, stored, row, name), name)
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
    image: tuple[NDArray[np.uint8], str],
) -> Markup:
    true, predicted = int(evidence.labels[k]), int(probabilities[k].argmax())
    names = evidence.classes
    alternative = f"Image {k} of the split: {names[true]}, predicted as {names[predicted]}"
    pixels, name = image
    return tag(
        "figure",
        {},
        picture(pixels, alternative),
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
            tag("span", {"class": "file"}, name),
        ),
    )
