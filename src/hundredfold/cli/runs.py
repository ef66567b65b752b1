"""`hundredfold runs`: list runs, show one in full, or look after them."""

import sys
from pathlib import Path
from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter

from hundredfold import wording
from hundredfold.api import housekeeping
from hundredfold.api.runs import Run, list_runs, load
from hundredfold.cli._runs_compare import compare
from hundredfold.cli._runs_upkeep import prune, rm
from hundredfold.cli._table import table
from hundredfold.errors import HundredfoldError

app = cyclopts.App(name="runs", help="List runs, show one, or look after them.")
app.command(compare)
app.command(rm)
app.command(prune)

_OPTIONAL = Parameter(consume_multiple=(0, 1), negative=(), show_default="none")
_HEAD = ("run", "status", "model", "data", "epochs", "validation", "test", "time", "size")


@app.default
def runs(
    name: Annotated[str | None, Parameter(show_default="all")] = None,
    *,
    out: Path = Path("runs"),
    html: Annotated[list[Path] | None, _OPTIONAL] = None,
    json: bool = False,
) -> dict[str, Any]:
    """List the runs in a folder, or show one: its recipe, status and scores.

    Parameters
    ----------
    name
        A run to show, by name or folder, or "latest".
    out
        The folder of the runs.
    html
        Write a page with a table of all runs; index.html in their folder unless a path follows.
    json
        Print one JSON object.
    """
    if name is not None:
        return _one(load(name, out=out), json)
    if html is not None:
        return _page(out, html[0] if html else None, json)
    listed = [_facts(run) for run in list_runs(out)]
    if not json:
        text = table(_HEAD, [_row(facts) for facts in listed], left=4)
        sys.stdout.write(text if listed else f"no runs in {out}; hundredfold train makes one\n")
    return {"out": str(out), "runs": listed}


def _page(out: Path, file: Path | None, json: bool) -> dict[str, Any]:
    page = housekeeping.index(out, file)
    if not json:
        sys.stdout.write(f"{page}\n")
    return {"out": str(out), "page": str(page)}


def _one(run: Run, json: bool) -> dict[str, Any]:
    facts, info, scores = _facts(run), run.info, run.scores
    if not json:
        rows = [
            (
                key,
                wording.decimal(score["value"], 4),
                _interval(score),
                wording.count(score.get("n")),
            )
            for key, score in scores.items()
        ]
        text = run.recipe.toml()
        ended = f"{facts['status']}{': ' if info.get('reason') else ''}{info.get('reason', '')}"
        cost = f"{facts['epochs'] or 0} epochs, {wording.seconds(facts['seconds'] or 0.0)}"
        sys.stdout.write(
            f"{run.folder}\n{ended}; {cost}, {wording.memory(facts['bytes'])}\n\n{text}"
        )
        if rows:
            sys.stdout.write("\n" + table(("score", "value", "95 % interval", "images"), rows))
    return {**facts, "info": info, "scores": scores, "recipe": run.recipe.model_dump()}


def _facts(run: Run) -> dict[str, Any]:
    """Return the facts of a run's line; with damaged files its status is "damaged"."""
    facts: dict[str, Any] = {"name": run.name, "folder": str(run.folder), "bytes": run.bytes}
    try:
        info, scores, recipe = run.info, run.scores, run.recipe
    except HundredfoldError as error:
        empty = dict.fromkeys(("model", "data", "epochs", "validation", "test", "seconds"))
        reason = f"{error.message}: {error.found}" if error.found else error.message
        return facts | empty | {"status": "damaged", "reason": reason}
    return facts | {
        "status": info["status"],
        "reason": info.get("reason", ""),
        "model": str(recipe.model),
        "data": (info.get("data") or {}).get("name"),
        "epochs": info.get("epochs"),
        "validation": scores.get("validation.top_1", {}).get("value"),
        "test": scores.get("test.top_1", {}).get("value"),
        "seconds": info.get("seconds"),
    }


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    return (
        facts["name"],
        facts["status"],
        (facts["model"] or "-").partition("(")[0],
        facts["data"] or "-",
        str(facts["epochs"] or "-"),
        wording.percent(facts["validation"], 2),
        wording.percent(facts["test"], 2),
        "-" if facts["seconds"] is None else wording.seconds(facts["seconds"]),
        wording.memory(facts["bytes"]),
    )


def _interval(score: dict[str, float]) -> str:
    low, high = score.get("low"), score.get("high")
    return "-" if low is None or high is None else f"{low:.4f} to {high:.4f}"
