"""The network as a drawing: a box for each layer with weights, its height by resolution.

Consecutive layers of one resolution form a stage. The layers and cost of a stage are written
below it and in a table.
"""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from hundredfold import wording
from hundredfold.reports import charts
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.html import Child, Markup, join, number, paragraph, table
from hundredfold.reports.run_evidence import RunEvidence

TITLE = "Network"
ORDER = 70

Rows = Sequence[dict[str, Any]]
TALLEST = 150
GAP = 26
NARROWEST = 88  # pixels; the width of the text under a stage


def network(evidence: RunEvidence) -> Exhibit:
    """Draw the stages of the network from the rows of model.json."""
    rows: Rows = evidence.summary.get("rows") or evidence.summary.get("layers") or ()
    if not rows:
        return missing("The run stored no summary of its network.")
    stages = _stages(rows)
    svg = _picture(stages)
    lead = paragraph(_sentence(evidence, rows), kind="lead")
    return Exhibit(join([lead, charts.sideways(svg), _table(stages)]), {"network": svg})


def _sentence(evidence: RunEvidence, rows: Rows) -> str:
    weighty = sum(1 for row in rows if row["macs"])
    parameters = evidence.summary.get("parameters", sum(row["parameters"] for row in rows))
    macs = evidence.summary.get("macs", sum(row["macs"] for row in rows))
    return (
        f"{wording.plural(weighty, 'layer')} with weights, {wording.count(parameters)} parameters, "
        f"{wording.short(macs)} multiply-adds for an image."
    )


def _stages(rows: Rows) -> list[list[dict[str, Any]]]:
    """Return the groups of consecutive layers of one resolution."""
    return [list(group) for _, group in groupby(rows, key=lambda row: tuple(row["output"][1:]))]


def _picture(stages: list[list[dict[str, Any]]]) -> Markup:
    first = [stages[0][0]] if not stages[0][0]["macs"] and len(stages[0][0]["output"]) == 3 else []
    plates = [[row for row in stage if row["macs"]] for stage in stages]
    plates = [stage for stage in plates if stage] or stages
    pitch = min(max(560 / sum(map(len, plates)), 3.0), 30.0)
    largest = max(_side(row) for stage in [first, *plates] for row in stage)
    x, parts, middle = 8.0, list[Child](), TALLEST / 2 + 10
    for stage in [first, *plates] if first else plates:
        width = max(len(stage) * pitch, NARROWEST)
        start = x + (width - len(stage) * pitch) / 2
        for k, row in enumerate(stage):
            parts.append(_plate(row, start + k * pitch, middle, pitch, largest))
        parts.append(_caption(stage, x + width / 2, TALLEST + 34))
        x += width + GAP
    flow = charts.path([(8 + NARROWEST / 2, middle), (x - GAP - NARROWEST / 2, middle)], "rail")
    words = "Network: " + ", then ".join(f"{len(s)} layers at {_shape(s[-1])}" for s in plates)
    return charts.drawing(x - GAP + 8, TALLEST + 74, words, flow, *parts, kind="wide")


def _plate(row: dict[str, Any], x: float, middle: float, pitch: float, largest: int) -> Markup:
    tall = _height(_side(row), largest)
    hue = "c3" if not row["macs"] else "c1" if len(row["output"]) == 1 else "c0"
    box = (x + pitch * 0.14, middle - tall / 2, pitch * 0.72, tall)
    return charts.rectangle(*box, f"plate fill {hue}", _hint(row), round_by=min(2.5, pitch / 4))


def _caption(stage: Rows, x: float, y: float) -> Markup:
    macs = sum(row["macs"] for row in stage)
    layers = wording.plural(len(stage), "layer") if macs else "image"
    lines = (_shape(stage[-1]), layers, f"{wording.short(macs)} MACs" if macs else "")
    kinds = ("name", "tick", "tick")
    return join(
        charts.text(x, y + 15 * k, line, kind, anchor="middle")
        for k, (line, kind) in enumerate(zip(lines, kinds, strict=True))
    )


def _table(stages: list[list[dict[str, Any]]]) -> Markup:
    parameters = [sum(row["parameters"] for row in stage) for stage in stages]
    macs = [sum(row["macs"] for row in stage) for stage in stages]
    rows: list[list[Child]] = [
        [
            _shape(stage[-1]),
            _kinds(stage),
            number(wording.count(p), bar=p / max(sum(parameters), 1)),
            number(wording.short(m), bar=m / max(sum(macs), 1)),
        ]
        for stage, p, m in zip(stages, parameters, macs, strict=True)
    ]
    head = ["Output", "Layers", "Parameters", "Multiply-adds"]
    caption = "Stages; bars are fractions of the whole network"
    return table(head, rows, kind="classes", caption=caption)


def _kinds(stage: Rows) -> str:
    counts = Counter(row["kind"] for row in stage)
    return ", ".join(f"{n} × {kind}" if n > 1 else kind for kind, n in counts.items())


def _side(row: dict[str, Any]) -> int:
    return int(row["output"][1]) if len(row["output"]) == 3 else 1


def _height(side: int, largest: int) -> float:
    return 12 + (TALLEST - 12) * math.log2(side) / max(math.log2(largest), 1)


def _shape(row: dict[str, Any]) -> str:
    channels, *sides = row["output"]
    return " × ".join(map(str, [*sides, channels]))


def _hint(row: dict[str, Any]) -> str:
    return (
        f"{row['name']}: {row['kind']}, {_shape(row)}, "
        f"{wording.count(row['parameters'])} parameters, {wording.short(row['macs'])} MACs"
    )
