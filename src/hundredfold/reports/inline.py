"""HTML of runs, studies and predictions for notebooks.

Styles are inline, drawings are inline SVG, and there are no scripts or downloads. So notebook
viewers show the same as a live notebook.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hundredfold import metrics, wording
from hundredfold.data import Source
from hundredfold.errors import HundredfoldError
from hundredfold.prediction import Predictions
from hundredfold.reports.exhibits.curves import curve_charts
from hundredfold.reports.exhibits.headline import sentence
from hundredfold.reports.exhibits.variant_curves import variant_curves
from hundredfold.reports.exhibits.verdict import verdict
from hundredfold.reports.html import Child, Markup, tag
from hundredfold.reports.plain_svg import inlined
from hundredfold.reports.run_evidence import RunEvidence
from hundredfold.reports.study_evidence import StudyEvidence
from hundredfold.run import Run

_EPOCHS = 12  # rows of the table while training goes on
_PREDICTIONS = 25  # rows
_CELL = "padding:2px 10px 2px 0;text-align:left;border:0"
_NUMBER = "padding:2px 10px;text-align:right;border:0;font-variant-numeric:tabular-nums"
_SOFT = "color:#5b6572;margin:2px 0"
_HEADS = ("epoch", "train loss", "train top-1", "validation loss", "validation top-1", "seconds")


def run_html(run: Run) -> str:
    """Return a run's title, score and curves."""
    evidence = RunEvidence(run, Source(offline=True))
    try:
        status, charts = str(evidence.info["status"]), _charts(evidence.curve, evidence.info)
        title, score = evidence.title, _score(evidence)
    except (HundredfoldError, KeyError) as error:
        return _box(tag("b", {}, run.name), _line(f"cannot be read: {error}"))
    state = status if status == "done" else f"{status}: {evidence.info.get('reason', '')}"
    spent = wording.seconds(evidence.info.get("seconds"))
    about = f"{state}; {wording.plural(len(evidence.curve), 'epoch')} in {spent}; {run.folder}"
    return _box(tag("b", {}, title), score, _line(about), charts)


def study_html(folder: Path) -> str:
    """Return a study's comparison: a table of variants, the verdicts, and drawings."""
    study = StudyEvidence(folder, Source(offline=True))
    systems = study.comparison.get("systems", [])
    rows = [
        (
            str(system["label"]),
            str(system["n"]),
            study.text(system["mean"]),
            f"{study.text(system.get('low'), with_unit=False)} to {study.text(system.get('high'))}"
            if system.get("low") is not None
            else "",
        )
        for system in systems
    ]
    pairs = [_line(str(pair["sentence"])) for pair in study.comparison.get("pairs", [])]
    drawings = [*verdict(study).figures.values(), *list(variant_curves(study).figures.values())[:1]]
    head = ("variant", "seeds", metrics.words(study.metric), "95 % interval")
    return _box(tag("b", {}, study.title), _table(head, rows), *pairs[:6], _beside(drawings))


def predictions_html(predictions: Predictions) -> str:
    """Return a table of labels and probabilities of the first images."""
    rows: list[Sequence[Child]] = []
    for index, prediction in enumerate(predictions[:_PREDICTIONS]):
        others = ", ".join(
            f"{k} {wording.percent(v)}" for k, v in list(prediction.top(3).items())[1:]
        )
        cells = [
            tag("b", {}, prediction.label or ""),
            wording.percent(prediction.probability),
            others,
        ]
        rows.append(
            [
                prediction.file or f"image {index}",
                *(cells if not prediction.error else [prediction.error, "", ""]),
            ]
        )
    more = len(predictions) - len(rows)
    rest = _line(f"and {more:,} more") if more > 0 else Markup()
    return _box(_table(("image", "label", "probability", "then"), rows), rest)


def progress_html(lines: Sequence[str], rows: Sequence[Mapping[str, Any]], status: str) -> str:
    """Return the progress of a training: newest messages, newest epochs, curves.

    lines: the messages. rows: one row of the curve per epoch, with "best". status: the line of
    the current step.
    """
    messages = tag(
        "pre", {"style": "margin:0;white-space:pre-wrap;font-size:12px"}, "\n".join(lines)
    )
    cells = [_epoch(row) for row in rows[-_EPOCHS:]]
    table = _table(_HEADS, cells) if cells else Markup()
    charts = _charts([dict(row) for row in rows], {}) if len(rows) > 1 else Markup()
    return _box(messages, table, charts, _line(status) if status else Markup())


def _epoch(row: Mapping[str, Any]) -> Sequence[str]:
    star = " ★" if row.get("best") else ""
    scores = [
        words(row.get(f"{split}.{name}"))
        for split in ("train", "validation")
        for name, words in (("loss", wording.decimal), ("top_1", wording.percent))
    ]
    return (f"{row['epoch']:.0f}{star}", *scores, wording.decimal(row.get("seconds"), 1))


def _score(evidence: RunEvidence) -> Markup:
    for split in ("test", "validation"):
        score = evidence.score("top_1", split)
        if score:
            return tag("div", {"style": "font-size:16px;margin:2px 0"}, sentence(score, split))
    return Markup()


def _charts(curve: list[dict[str, float]], info: Mapping[str, Any]) -> Markup:
    charts = curve_charts(curve, info.get("best_epoch"))
    return _beside(charts.values())


def _beside(drawings: Iterable[Markup]) -> Markup:
    """Put drawings beside each other as far as there is room."""
    row = {"style": "display:flex;flex-wrap:wrap;gap:8px"}
    return tag("div", row, *(inlined(svg) for svg in drawings))


def _table(head: Sequence[str], rows: Sequence[Sequence[Child]]) -> Markup:
    style = {"style": "border-collapse:collapse;margin:4px 0;font-size:13px"}
    lines = [
        tag("tr", {}, *(_cell("th", k, cell) for k, cell in enumerate(head))),
        *(tag("tr", {}, *(_cell("td", k, cell) for k, cell in enumerate(row))) for row in rows),
    ]
    return tag("table", style, *lines)


def _cell(name: str, column: int, cell: Child) -> Markup:
    return tag(name, {"style": _CELL if column == 0 else _NUMBER}, cell)


def _line(text: str) -> Markup:
    return tag("div", {"style": _SOFT}, text)


def _box(*children: Child) -> str:
    return tag("div", {"style": "font-family:system-ui,sans-serif;font-size:13px"}, *children)
