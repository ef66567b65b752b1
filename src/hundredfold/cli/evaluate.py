"""`hundredfold evaluate`: the only reader of the test split."""

import json as jsons
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich import box
from rich.console import Console
from rich.table import Table

from hundredfold import metrics, wording
from hundredfold import run as runs
from hundredfold.run import Run

_SPLIT = (
    "test or validation. Each evaluation of the test split is counted in the run. Scores: "
    f'{", ".join(metrics.default())}. Of test, "top_1_unseen" leaves out the images that have a '
    "near-duplicate in the training part."
)


def evaluate(
    run: str = "latest",
    *,
    split: Annotated[str, Parameter(help=_SPLIT)] = "test",
    data_dir: Path | None = None,
    device: str = "auto",
    threads: int = 0,
    out: Path = runs.RUNS,
    json: bool = False,
) -> dict[str, Any]:
    """Score a run, or every run of a study, with 95 % intervals.

    Parameters
    ----------
    run
        A run or a study, by name or folder; "latest" is the newest run.
    data_dir
        Where the data lie, if not where they lay when the run was trained.
    device
        auto, cpu, cuda, cuda:1 or mps.
    threads
        Threads to compute with; 0 takes every core.
    out
        The folder in which runs are.
    json
        Print one JSON object.
    """
    members = _members(run, out)
    from hundredfold import evaluation
    from hundredfold.compute import device as devices
    from hundredfold.engines import engine_for

    place = devices.choose(device)
    devices.use_threads(threads)
    found = {}
    for member in members:
        source = evaluation.source_of(member, data_dir)
        found[member.name] = evaluation.evaluate(
            member, split, source, partial(engine_for(member.recipe).open, member, place)
        )
        if not json:
            _show(member, split, found[member.name])
    if len(members) == 1:
        only = members[0]
        return {"run": str(only.folder), "test_evaluations": only.info["test_evaluations"],
                "scores": found[only.name]}  # fmt: skip
    return {"runs": found}


def _members(text: str, out: Path) -> list[Run]:
    for folder in (Path(text), out / text):
        if (folder / "study.json").is_file():
            study = jsons.loads((folder / "study.json").read_text(encoding="utf-8"))
            return [runs.open_run(str(folder.parent / m["run"])) for m in study["members"]]
    return [runs.open_run(text, out)]


def _show(member: Run, split: str, scores: dict[str, dict[str, Any]]) -> None:
    title = f"{member.name}, {split}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for head in ("score", "value", "95 % interval", "images"):
        table.add_column(head, justify="left" if head == "score" else "right")
    for name, score in scores.items():
        text = metrics.about(name).text
        value, low, high = (text(score[k], 4) for k in ("value", "low", "high"))
        table.add_row(name, value, f"{low} to {high}", f"{score['n']:,}")
    console = Console(highlight=False)
    console.print(table)
    unseen = scores.get("test.top_1_unseen")
    if unseen:
        seen = scores["test.top_1"]["n"] - unseen["n"]
        console.print(f"top_1_unseen leaves out {seen:,} images that training saw nearly the same")
    if split == "test":
        times = wording.times(member.info["test_evaluations"])
        console.print(f"the test split of this run was evaluated {times}")
