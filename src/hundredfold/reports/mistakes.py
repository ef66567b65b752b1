"""The worst mistakes to look at: images it got wrong and was most sure of."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hundredfold import data, wording
from hundredfold.errors import HundredfoldError
from hundredfold.reports._evidence import Evidence, Exhibit
from hundredfold.reports._html import Markup, join, paragraph, tag

MOST = 24
LEGEND = (
    "Bold is what it said and how sure it was; under it what the label says, and how likely it "
    "held that. Some mistakes may be the label's."
)
LARGEST = 112  # pixels; bigger photographs are made smaller, so that the page stays light


def mistakes(evidence: Evidence) -> Exhibit:
    """Show the most confident mistakes with what they are and what they were taken for."""
    title = "Worst mistakes"
    if not evidence.split:
        words = "No logits are stored yet, so there are no mistakes to show."
        return Exhibit(title, paragraph(words, kind="absent"))
    chance = _softmax(evidence.logits)
    worst = most_confident_wrong(chance, evidence.labels, MOST)
    if not worst:
        return Exhibit(title, paragraph("There is no mistake to show.", kind="absent"))
    images = _images(evidence, worst)
    if isinstance(images, str):
        return Exhibit(title, paragraph(images, kind="absent"))
    shown = [_card(evidence, chance, k, image) for k, image in zip(worst, images, strict=True)]
    lead = f"The {wording.plural(len(shown), 'mistake')} it was surest of. {LEGEND}"
    return Exhibit(
        title, join([paragraph(lead, kind="lead"), tag("div", {"class": "gallery"}, *shown)])
    )


def most_confident_wrong(
    chance: NDArray[np.float64], labels: NDArray[np.int64], most: int
) -> list[int]:
    """Return places of wrong predictions, the most confident first."""
    wrong = np.flatnonzero(chance.argmax(axis=1) != labels)
    order = np.argsort(-chance[wrong].max(axis=1), kind="stable")[:most]
    return [int(k) for k in wrong[order]]


def png(pixels: NDArray[np.uint8]) -> str:
    """Return an image (height, width, 3) as a data URI, made smaller if it is large."""
    image = Image.fromarray(pixels)
    image.thumbnail((LARGEST, LARGEST))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _images(evidence: Evidence, which: list[int]) -> list[NDArray[np.uint8]] | str:
    """Return the pixels of some places of the split, or a sentence that says why not."""
    rows = evidence.run.rows(str(evidence.split))
    if rows is None:
        return "The run did not store which images it was scored on, so they cannot be shown."
    try:
        opened = data.load(str(evidence.recipe.get("data")), evidence.place)
        if opened.digest != evidence.data.get("digest", opened.digest):
            return (
                "The data here are not those the run was trained on, so the images are not shown."
            )
        cut = evidence.split == "validation" and "validation" not in opened.parts
        stored = opened.parts["train" if cut else str(evidence.split)]()
        return [np.asarray(stored.pixels[rows[k]]) for k in which]
    except (HundredfoldError, OSError, LookupError) as error:
        reason = error.message if isinstance(error, HundredfoldError) else str(error)
        return (
            f"The images are not at hand, so they are not shown: {reason}. "
            "With --data-dir the report finds them."
        )


def _card(
    evidence: Evidence, chance: NDArray[np.float64], k: int, image: NDArray[np.uint8]
) -> Markup:
    true, taken = int(evidence.labels[k]), int(chance[k].argmax())
    names = evidence.classes
    alternative = f"Image {k} of the split: {names[true]}, taken for {names[taken]}"
    kind = "pixels" if max(image.shape[:2]) <= 64 else None
    return tag(
        "figure",
        {},
        tag("img", {"src": png(image), "alt": alternative, "class": kind, "loading": "lazy"}),
        tag(
            "figcaption",
            {},
            tag("b", {}, names[taken]),
            tag("span", {"class": "number"}, " " + wording.percent(float(chance[k, taken]))),
            tag(
                "span",
                {"class": "true"},
                "is ",
                names[true],
                tag("span", {"class": "number"}, " " + wording.percent(float(chance[k, true]))),
            ),
        ),
    )


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float64)
