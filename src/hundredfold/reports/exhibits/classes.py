"""Scores per class: precision, recall, F1, and the class it is most often mistaken for."""

import numpy as np

from hundredfold import wording
from hundredfold.metrics.tables.per_class import PerClass, per_class
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.html import Child, Markup, details, join, number, paragraph, table, tag
from hundredfold.reports.run_evidence import RunEvidence

TITLE = "Scores of each class"
ORDER = 40

FEW = 24  # up to this number of classes the whole table is shown
ENDS = 8  # classes in the tables of the lowest and the highest F1


def classes(evidence: RunEvidence) -> Exhibit:
    """Show the best and worst classes, and all classes in a sortable table."""
    if not evidence.split:
        return missing("No logits are stored yet, so there are no scores of classes.")
    scores = per_class(evidence.logits, evidence.labels)
    order = np.argsort(scores.f1, kind="stable").tolist()
    lead = paragraph(_sentence(evidence, scores, order), kind="lead")
    caption = "All classes, the lowest F1 first; a click on a heading sorts"
    whole = _table(evidence, scores, order, caption)
    if len(order) <= FEW:
        return Exhibit(join([lead, whole]))
    ends = tag(
        "div",
        {"class": "pair"},
        _short("Lowest F1", evidence, scores, order[:ENDS]),
        _short("Highest F1", evidence, scores, order[::-1][:ENDS]),
    )
    return Exhibit(join([lead, ends, details(f"All {len(order)} classes", whole)]))


def _sentence(evidence: RunEvidence, scores: PerClass, order: list[int]) -> str:
    worst, best = order[0], order[-1]

    def say(k: int) -> str:
        return f"{evidence.classes[k]} (F1 {wording.percent(float(scores.f1[k]))})"

    mean = wording.percent(float(scores.f1.mean()))
    return f"Highest is {say(best)}, lowest {say(worst)}; the macro F1 is {mean}."


def _short(title: str, evidence: RunEvidence, scores: PerClass, which: list[int]) -> Markup:
    rows: list[list[Child]] = [
        [evidence.classes[k], _fraction(scores.f1[k]), _mistaken_for(evidence, k)] for k in which
    ]
    return table(["Class", "F1", "Most often mistaken for"], rows, kind="classes", caption=title)


def _table(evidence: RunEvidence, scores: PerClass, order: list[int], caption: str) -> Markup:
    coarse = ["Superclass"] if evidence.superclass_of else []
    head = ["Class", *coarse, "Images", "Precision", "Recall", "F1", "Most often mistaken for"]
    rows = [_row(evidence, scores, k) for k in order]
    return table(head, rows, kind="classes sortable", caption=caption)


def _row(evidence: RunEvidence, scores: PerClass, k: int) -> list[Child]:
    superclass = [evidence.superclasses[group] for group in evidence.superclass_of[k : k + 1]]
    support = int(scores.support[k])
    return [
        evidence.classes[k],
        *superclass,
        number(wording.count(support), sort=support),
        *(_fraction(values[k]) for values in (scores.precision, scores.recall, scores.f1)),
        _mistaken_for(evidence, k),
    ]


def _fraction(value: float) -> Markup:
    fraction = float(value)
    return number(wording.percent(fraction), sort=fraction, bar=fraction)


def _mistaken_for(evidence: RunEvidence, k: int) -> str:
    row = evidence.counts[k].copy()
    row[k] = 0
    other = int(row.argmax())
    return f"{evidence.classes[other]} ({int(row[other])})" if row[other] else wording.NOTHING
