"""The page of all runs in a folder: one table, each run with its scores and a small curve."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hundredfold import files, wording
from hundredfold.errors import HundredfoldError
from hundredfold.reports import charts
from hundredfold.reports.charts import Frame, Scale
from hundredfold.reports.epochs import column
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.exhibits import Section
from hundredfold.reports.html import Child, Markup, join, number, paragraph, table, tag
from hundredfold.reports.layout import page
from hundredfold.run import Run, plain

_HEAD = ("Run", "Status", "Model", "Data", "Epochs", "Accuracy by epoch", "Validation accuracy, %",
         "Test accuracy, %", "Test evaluations", "Time", "Size", "Started")  # fmt: skip
_STATUS = {"running": "settled"}
_KEY = "validation.top_1"


def write_runs(runs: Sequence[Run], studies: Sequence[Path], out: Path, file: Path) -> Path:
    """Write a page with a table of all runs, and links to their pages; return its path.

    studies: folders with a study.json. out: the folder of the runs. file: the page; links are
    relative to it.
    """
    facts = [_facts(run) for run in runs]
    sections = [
        Section("summary", "", _summary(facts)),
        Section("runs", "Runs", _runs(facts, file.parent)),
        Section("studies", "Studies", _studies(studies, file.parent)),
    ]
    name = str(out)
    files.write_text(file, page("index", name, f"Runs in {name}", sections))
    return file


def _facts(run: Run) -> dict[str, Any]:
    """Return what the page shows of a run; a damaged one has its reason only."""
    facts: dict[str, Any] = {"folder": run.folder, "name": run.name, "bytes": run.bytes}
    try:
        info, (_, recipe) = run.info, run.stated
        return facts | {
            "status": info["status"],
            "reason": str(info.get("reason", "")),
            "model": str(recipe.get("model", "")),
            "info": info,
            "scores": run.scores,
            "curve": run.curve,
        }
    except HundredfoldError as error:
        reason = f"{error.message}: {error.found}" if error.found else error.message
        empty: dict[str, Any] = {"model": "", "info": {}, "scores": {}, "curve": []}
        return facts | empty | {"status": "damaged", "reason": reason}


def _summary(facts: Sequence[Mapping[str, Any]]) -> Exhibit:
    if not facts:
        return missing("There are no runs here yet; hundredfold train makes one.")
    seconds = sum(each["info"].get("seconds") or 0.0 for each in facts)
    size = wording.memory(sum(each["bytes"] for each in facts))
    counts = dict.fromkeys(("done", "running", "stopped", "failed", "damaged"), 0)
    for each in facts:
        counts[each["status"]] += 1
    states = wording.listed([f"{n:,} {status}" for status, n in counts.items() if n])
    line = f"{states}; {wording.seconds(seconds)} of training; {size} on disk."
    return Exhibit(
        paragraph(
            tag("strong", {}, wording.count(len(facts))),
            tag("span", {}, f"{'run' if len(facts) == 1 else 'runs'}: {line}"),
            kind="big",
        )
    )


def _runs(facts: Sequence[Mapping[str, Any]], folder: Path) -> Exhibit:
    if not facts:
        return missing("A run appears here once its training has begun.")
    lead = (
        "A head sorts the table. Accuracies have their 95 % interval. They compare runs only where "
        "data and split are the same; hundredfold runs compare A B tests two runs."
    )
    rows = [_row(each, folder) for each in facts]
    return Exhibit(
        join(
            [paragraph(lead, kind="lead"), table(_HEAD, rows, kind="sortable", caption="All runs")]
        )
    )


def _row(facts: Mapping[str, Any], folder: Path) -> list[Child]:
    info, scores = facts["info"], facts["scores"]
    looks = int(info.get("test_evaluations") or 0)
    return [
        tag("th", {"scope": "row"}, _name(facts, folder)),
        _status(facts),
        tag("td", {"title": facts["model"]}, facts["model"].partition("(")[0]),
        str((info.get("data") or {}).get("name", "")),
        number(wording.count(info.get("epochs")), sort=info.get("epochs")),
        tag("td", {}, _sparkline(facts["curve"])),
        _score(scores.get(_KEY, {})),
        _score(scores.get("test.top_1", {})),
        number(str(looks), sort=looks),
        number(wording.seconds(info.get("seconds")), sort=info.get("seconds")),
        number(wording.memory(facts["bytes"]), sort=facts["bytes"]),
        number(str(info.get("started", ""))[:16].replace("T", " ")),
    ]


def _name(facts: Mapping[str, Any], folder: Path) -> Child:
    return _link(facts["folder"], folder)


def _link(to: Path, folder: Path) -> Child:
    """Return the name of a run or study, as a link to its page where there is one."""
    name = to.resolve().name
    if not plain.exists(to / "report.html"):
        return name
    try:
        path = to.resolve().relative_to(folder.resolve())
        address = quote(f"{path.as_posix()}/report.html")
    except ValueError:  # the page lies elsewhere
        address = (to.resolve() / "report.html").as_uri()
    return tag("a", {"href": address}, name)


def _status(facts: Mapping[str, Any]) -> Markup:
    kind = _STATUS.get(facts["status"], "open")
    mark = tag("span", {"class": f"verdict {kind}"}, facts["status"])
    plain_word = facts["status"] if facts["status"] == "done" else mark
    return tag("td", {"title": facts["reason"] or None}, plain_word)


def _score(score: Mapping[str, Any]) -> Markup:
    value = score.get("value")
    if not wording.finite(value):
        return number(wording.NOTHING)
    bounds = wording.interval(score)
    text: list[Child] = [wording.percent(value, 2).removesuffix(" %")]
    if bounds != wording.NOTHING:
        text.append(tag("small", {"class": "bounds"}, bounds))
    return number(text, sort=value)


def _sparkline(curve: list[dict[str, float]]) -> Markup:
    """Draw the validation accuracy of a run by epoch, from 0 to its largest value."""
    key = _KEY if any(_KEY in row for row in curve) else "train.top_1"
    values = column(curve, key)
    finite = [v for v in values if math.isfinite(v)]
    if len(finite) < 2:
        return Markup()
    frame = Frame(Scale(0, len(values) - 1), Scale(0, max(*finite, 1e-9)), 110, 26, (3, 3, 3, 3))
    points = [frame.at(k, v) for k, v in enumerate(values)]
    words = f"{key.partition('.')[0]} accuracy over {len(values)} epochs, to {max(finite):.1%}"
    return charts.drawing(
        frame.width, frame.height, words, charts.path(points, "line c0"), kind="spark"
    )


def _studies(folders: Sequence[Path], folder: Path) -> Exhibit:
    if not folders:
        return missing("There is no study here; hundredfold study compares recipes over seeds.")
    items = (tag("li", {}, _link(study, folder)) for study in folders)
    return Exhibit(tag("ul", {"class": "notes"}, *items))
