"""Which classes are taken for which: a heat map that stays legible at a hundred classes.

Classes stand in the order of their superclasses, and each superclass is outlined, so that
mistakes inside a family and mistakes between families are told apart at a glance.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hundredfold import wording
from hundredfold.reports import _svg
from hundredfold.reports._evidence import Evidence, Exhibit
from hundredfold.reports._html import Child, Markup, join, paragraph, tag
from hundredfold.reports._matrix import matrix

MOST_CLASSES = 250  # beyond, a cell is under three pixels and the list of pairs says more
PAIRS = 20
LEGEND = (
    "Rows are what an image is, columns what it was taken for. Blue is right, orange is wrong; "
    "the stronger the colour, the larger the share of its row."
)

Pair = tuple[int, int, int]


def confusion(evidence: Evidence) -> Exhibit:
    """Show the confusion matrix and list the pairs most often confused."""
    title = "What is taken for what"
    if not evidence.split:
        words = "No logits are stored yet, so there is no confusion matrix."
        return Exhibit(title, paragraph(words, kind="absent"))
    figures = _figures(evidence)
    pairs = top_pairs(evidence.counts, PAIRS)
    parts: list[Child] = [
        paragraph(_sentence(evidence, pairs), kind="lead"),
        *(_readable(svg) for svg in figures.values()),
        paragraph(LEGEND, kind="quiet") if figures else "",
        _list(evidence, pairs),
    ]
    return Exhibit(title, join(parts), figures)


def top_pairs(counts: NDArray[np.int64], most: int) -> list[Pair]:
    """Return (true, predicted, times) of the most frequent mistakes, most frequent first."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    places = (divmod(int(k), len(counts)) for k in order)
    return [(t, p, int(wrong[t, p])) for t, p in places if wrong[t, p]]


def _figures(evidence: Evidence) -> dict[str, Markup]:
    figures: dict[str, Markup] = {}
    names, families = evidence.classes, evidence.superclasses
    if len(names) <= MOST_CLASSES:
        order = evidence.order
        cells = evidence.counts[np.ix_(order, order)]
        groups = [families[evidence.superclass_of[k]] for k in order if evidence.superclass_of]
        title = f"Confusion matrix of {len(names)} classes, {evidence.split} split"
        figures["confusion"] = matrix(cells, [names[k] for k in order], groups, title)
    if evidence.superclass_of and len(families) <= MOST_CLASSES:
        fine = np.array(evidence.superclass_of)
        coarse = np.zeros((len(families), len(families)), np.int64)
        np.add.at(coarse, (fine[:, None], fine[None, :]), evidence.counts)
        title = f"Confusion matrix of {len(families)} superclasses, {evidence.split} split"
        figures["confusion-superclasses"] = matrix(coarse, families, [], title)
    return figures


def _readable(svg: Markup) -> Markup:
    readout = tag("p", {"class": "readout", "aria-live": "polite"})
    return tag("div", {"class": "matrix"}, _svg.sideways(svg), readout)


def _sentence(evidence: Evidence, pairs: Sequence[Pair]) -> str:
    n, right = int(evidence.counts.sum()), int(np.trace(evidence.counts))
    if n == right:
        return f"All {wording.count(n)} {evidence.split} images were recognised."
    wrong = f"{wording.count(n - right)} of {wording.count(n)} {evidence.split} images"
    start = f"{wrong} were taken for another class."
    if not evidence.superclass_of:
        true, taken, times = pairs[0]
        names = evidence.classes
        often = f"{names[true]} was taken for {names[taken]} ({wording.times(times)})"
        return f"{start} Most often {often}."
    fine = np.array(evidence.superclass_of)
    inside = int(evidence.counts[fine[:, None] == fine[None, :]].sum()) - right
    share = wording.percent(inside / (n - right), 0)
    return f"{start} {share} of these mistakes stay inside the right superclass (outlined)."


def _list(evidence: Evidence, pairs: Sequence[Pair]) -> Markup:
    """List mistakes seen more than once; where all are single, a few of them."""
    shown = [pair for pair in pairs if pair[2] > 1] or pairs[: PAIRS // 4]
    if not shown:
        return Markup()
    items = [_item(evidence, pair, shown[0][2]) for pair in shown]
    return join([tag("h3", {}, "Most frequent mistakes"), tag("ol", {"class": "pairs"}, *items)])


def _item(evidence: Evidence, pair: Pair, most: int) -> Markup:
    true, taken, times = pair
    of = tag("small", {}, f" of {wording.count(int(evidence.counts[true].sum()))}")
    return tag(
        "li",
        {"style": f"--share:{times / most:.3f}"},
        tag("b", {}, evidence.classes[true]),
        " taken for ",
        tag("b", {}, evidence.classes[taken]),
        tag("span", {"class": "times"}, wording.times(times), of),
    )
