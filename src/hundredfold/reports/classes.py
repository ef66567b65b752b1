"""Each class by itself: precision, recall, F1, and what it is taken for."""

import numpy as np

from hundredfold import wording
from hundredfold.metrics.tables.per_class import PerClass, per_class
from hundredfold.reports._evidence import Evidence, Exhibit
from hundredfold.reports._html import Child, Markup, details, join, number, paragraph, table, tag

FEW = 24  # up to so many classes the whole table is open at once
ENDS = 8


def classes(evidence: Evidence) -> Exhibit:
    """Show the best and worst classes, and all of them in a table that sorts."""
    title = "Class by class"
    if not evidence.split:
        words = "No logits are stored yet, so nothing is known of single classes."
        return Exhibit(title, paragraph(words, kind="absent"))
    found = per_class(evidence.logits, evidence.labels)
    order = np.argsort(found.f1, kind="stable").tolist()
    lead = paragraph(_sentence(evidence, found, order), kind="lead")
    whole = _table(evidence, found, order, "All classes, weakest first; a click on a heading sorts")
    if len(order) <= FEW:
        return Exhibit(title, join([lead, whole]))
    ends = tag(
        "div",
        {"class": "pair"},
        _short("Weakest", evidence, found, order[:ENDS]),
        _short("Strongest", evidence, found, order[::-1][:ENDS]),
    )
    return Exhibit(title, join([lead, ends, details(f"All {len(order)} classes", whole)]))


def _sentence(evidence: Evidence, found: PerClass, order: list[int]) -> str:
    worst, best = order[0], order[-1]

    def say(k: int) -> str:
        return f"{evidence.classes[k]} (F1 {wording.percent(float(found.f1[k]))})"

    mean = wording.percent(float(found.f1.mean()))
    return f"The strongest class is {say(best)}, the weakest {say(worst)}; the mean F1 is {mean}."


def _short(title: str, evidence: Evidence, found: PerClass, which: list[int]) -> Markup:
    rows: list[list[Child]] = [
        [evidence.classes[k], _share(float(found.f1[k])), _taken_for(evidence, k)] for k in which
    ]
    return table(["Class", "F1", "Most often taken for"], rows, kind="classes", caption=title)


def _table(evidence: Evidence, found: PerClass, order: list[int], caption: str) -> Markup:
    coarse = bool(evidence.superclass_of)
    head = [
        "Class",
        *(["Superclass"] if coarse else []),
        "Images",
        "Precision",
        "Recall",
        "F1",
        "Most often taken for",
    ]
    rows: list[list[Child]] = []
    for k in order:
        family: list[Child] = [evidence.superclasses[evidence.superclass_of[k]]] if coarse else []
        support = int(found.support[k])
        shares = [_share(float(values[k])) for values in (found.precision, found.recall, found.f1)]
        rows.append(
            [
                evidence.classes[k],
                *family,
                number(wording.count(support), sort=support),
                *shares,
                _taken_for(evidence, k),
            ]
        )
    return table(head, rows, kind="classes sortable", caption=caption)


def _share(value: float) -> Markup:
    return number(wording.percent(value), sort=value, bar=value)


def _taken_for(evidence: Evidence, k: int) -> str:
    row = evidence.counts[k].copy()
    row[k] = 0
    other = int(row.argmax())
    return f"{evidence.classes[other]} ({int(row[other])})" if row[other] else wording.NOTHING
