"""`hundredfold evaluate`: score runs; nothing else reads the test split."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hundredfold import metrics, wording
from hundredfold.api.runs import Run, Score, load
from hundredfold.api.studying import find
from hundredfold.cli._bounds import Bounds, sentences
from hundredfold.wording import visible

_SPLIT = (
    "test or validation. The run counts its test evaluations. Scores: "
    f'{", ".join(metrics.default())}. On test, "top_1_unseen" leaves out the images that have a '
    "near-duplicate in the training part."
)


_CORRUPTIONS = (
    "Score up to 2,000 of the images under noise, blur, JPEG, contrast, brightness, fog, "
    "pixelation and occlusion at five strengths too; the report page shows them."
)
_UNLIKE = (
    'Score how well "unknown" tells noise, textures, digits, shapes and CIFAR-10, where it is '
    "cached, from the run's images too; the report page shows it."
)


@Parameter(name="*")
@dataclass(frozen=True)
class Further:
    """What is scored beside the split."""

    corruptions: Annotated[bool, Parameter(negative="", help=_CORRUPTIONS)] = False
    unlike: Annotated[bool, Parameter(negative="", help=_UNLIKE)] = False


_AS_STORED, _NOTHING = Bounds(), Further()


def evaluate(
    run: str = "latest",
    *,
    split: Annotated[str, Parameter(help=_SPLIT)] = "test",
    data_dir: Annotated[Path | None, Parameter(show_default="the folder of training")] = None,
    metric: Annotated[list[str] | None, Parameter(negative="", show_default="none")] = None,
    bounds: Bounds = _AS_STORED,
    further: Further = _NOTHING,
    device: str = "auto",
    threads: int = 0,
    out: Path = Path("runs"),
    trust: Annotated[list[Path] | None, Parameter(negative="", show_default="none")] = None,
    json: bool = False,
) -> dict[str, Any]:
    """Score a run, or every run of a study, with 95 % intervals.

    The tables in the run's folder are CSV; text there that a spreadsheet would compute, such as
    =1+1, begins with an apostrophe.

    Parameters
    ----------
    run
        A run or a study, by name or folder; "latest" is the newest run.
    data_dir
        Folder of the data, if not the folder of training.
    metric
        One more metric, such as "top_k(k=3)" or "my.py:kappa"; may be given again.
    device
        auto, cpu, cuda, cuda:1 or mps.
    threads
        Threads to compute with; 0 takes every core.
    out
        The folder of the runs.
    trust
        A .py file of your own that the run names, and that may run.
    json
        Print one JSON object.
    """
    study = find(run, out, trust)
    many = study.members if study else [load(run, out=out, trust=trust)]
    by_run = {}
    for opened in many:
        scores = opened.evaluate(split, data_dir=data_dir, metrics=metric or (), device=device,
                                 threads=threads, **asdict(bounds), **asdict(further))  # fmt: skip
        by_run[opened.name] = scores
        if not json:
            _show(opened, scores)
    if study:
        return {"runs": by_run}
    (only,) = many
    evaluations = only.info["test_evaluations"]
    return {"run": str(only.folder), "test_evaluations": evaluations, "scores": by_run[only.name],
            "calibration": only.bounds(split)}  # fmt: skip


def _show(run: Run, scores: dict[str, Score]) -> None:
    split = next(iter(scores)).partition(".")[0]
    title = Text(visible(f"{run.name}, {split}"))
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for head in ("score", "value", "95 % interval", "images"):
        table.add_column(head, justify="left" if head == "score" else "right")
    for name, score in scores.items():
        value, low, high = (metrics.text(name, score[k], 4) for k in ("value", "low", "high"))
        table.add_row(name, value, f"{low} to {high}", f"{score['n']:,}")
    console = Console(highlight=False, markup=False, color_system=None)
    console.print(table)
    unseen = scores.get("test.top_1_unseen")
    if unseen:
        seen = scores["test.top_1"]["n"] - unseen["n"]
        console.print(f"top_1_unseen leaves out {seen:,} near-duplicates of training images")
    if split == "test":
        times = wording.times(run.info["test_evaluations"])
        console.print(f"the test split of this run was evaluated {times}")
    for sentence in sentences(run.bounds(split), split):
        console.print(sentence)
