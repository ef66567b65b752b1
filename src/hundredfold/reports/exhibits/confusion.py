"""The confusion matrix: a heat map that is legible with a hundred classes.

Classes are sorted by superclass, and each superclass is outlined. This separates mistakes
within a superclass from mistakes between superclasses.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hundredfold import wording
from hundredfold.reports import charts
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.html import Child, Markup, join, paragraph, tag
from hundredfold.reports.run_evidence import RunEvidence

TITLE = "Confusion matrix"
ORDER = 30

MOST_CLASSES = 250  # with more, a cell is under three pixels and only the pairs are listed
PAIRS = 20
LEGEND = (
    "Rows are true classes, columns predicted ones. Blue is correct, orange a mistake; the "
    "stronger the colour, the larger the fraction of its row."
)

Pair = tuple[int, int, int]


def confusion(evidence: RunEvidence) -> Exhibit:
    """Show the confusion matrix and list the pairs most often confused."""
    if not evidence.split:
        return missing("No logits are stored yet, so there is no confusion matrix.")
    figures = _figures(evidence)
    pairs = top_pairs(evidence.counts, PAIRS)
    parts: list[Child] = [
        paragraph(_sentence(evidence, pairs), kind="lead"),
        *(_readable(svg) for svg in figures.values()),
        paragraph(LEGEND, kind="quiet") if figures else "",
        _list(evidence, pairs),
    ]
    return Exhibit(join(parts), figures)


def top_pairs(counts: NDArray[np.int64], most: int) -> list[Pair]:
    """Return (true, predicted, times) of the most frequent mistakes, most frequent first."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    cells = (divmod(int(k), len(counts)) for k in order)
    return [(t, p, int(wrong[t, p])) for t, p in cells if wrong[t, p]]


def _figures(evidence: RunEvidence) -> dict[str, Markup]:
    figures: dict[str, Markup] = {}
    names, superclasses = evidence.classes, evidence.superclasses
    if len(names) <= MOST_CLASSES:
        order = evidence.order
        cells = evidence.counts[np.ix_(order, order)]
        groups = [superclasses[evidence.superclass_of[k]] for k in order if evidence.superclass_of]
        title = f"Confusion matrix of {len(names)} classes, {evidence.split} split"
        figures["confusion"] = charts.matrix(cells, [names[k] for k in order], groups, title)
    if evidence.superclass_of and len(superclasses) <= MOST_CLASSES:
        fine = np.array(evidence.superclass_of)
        coarse = np.zeros((len(superclasses), len(superclasses)), np.int64)
        np.add.at(coarse, (fine[:, None], fine[None, :]), evidence.counts)
        title = f"Confusion matrix of {len(superclasses)} superclasses, {evidence.split} split"
        figures["confusion-superclasses"] = charts.matrix(coarse, superclasses, [], title)
    return figures


def _readable(svg: Markup) -> Markup:
    readout = tag("p", {"class": "readout", "aria-live": "polite"})
    return tag("div", {"class": "matrix"}, charts.sideways(svg), readout)


def _sentence(evidence: RunEvidence, pairs: Sequence[Pair]) -> str:
    n, correct = int(evidence.counts.sum()), int(np.trace(evidence.counts))
    if n == correct:
        return f"All {wording.count(n)} {evidence.split} images were classified correctly."
    wrong = f"{wording.count(n - correct)} of {wording.count(n)} {evidence.split} images"
    start = f"{wrong} were classified wrongly."
    if not evidence.superclass_of:
        true, predicted, times = pairs[0]
        names = evidence.classes
        often = f"{names[true]} was predicted as {names[predicted]} ({wording.times(times)})"
        return f"{start} Most often {often}."
    fine = np.array(evidence.superclass_of)
    inside = int(evidence.counts[fine[:, None] == fine[None, :]].sum()) - correct
    fraction = wording.percent(inside / (n - correct), 0)
    return f"{start} {fraction} of these mistakes stay within the superclass (outlined)."


def _list(evidence: RunEvidence, pairs: Sequence[Pair]) -> Markup:
    """List the mistakes that occur more than once; if none does, a few single ones."""
    shown = [pair for pair in pairs if pair[2] > 1] or pairs[: PAIRS // 4]
    if not shown:
        return Markup()
    items = [_item(evidence, pair, shown[0][2]) for pair in shown]
    return join([tag("h3", {}, "Most frequent mistakes"), tag("ol", {"class": "pairs"}, *items)])


def _item(evidence: RunEvidence, pair: Pair, most: int) -> Markup:
    true, predicted, times = pair
    of = tag("small", {}, f" of {wording.count(int(evidence.counts[true].sum()))}")
    return tag(
        "li",
        {"style": f"--share:{times / most:.3f}"},
        tag("b", {}, evidence.classes[true]),
        " predicted as ",
        tag("b", {}, evidence.classes[predicted]),
        tag("span", {"class": "times"}, wording.times(times), of),
    )
