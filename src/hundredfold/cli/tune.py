"""`hundredfold tune`: search good options of a recipe, and compare the winner with it."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from hundredfold import wording
from hundredfold.api import tuning
from hundredfold.cli._place import HERE, Place
from hundredfold.displays import Terminal
from hundredfold.errors import Interrupted


@Parameter(name="*")
@dataclass(frozen=True)
class Bounds:
    """How long the search goes on, and among what."""

    budget: Annotated[
        str,
        Parameter(
            show_default="none",
            help="A time such as 30m or 2h for everything: the search, and the comparison of its "
            "winner with fresh seeds at the end.",
        ),
    ] = ""
    trials: Annotated[
        int | None, Parameter(show_default="none", help="Number of trials at most.")
    ] = None
    space: Annotated[
        Path | None,
        Parameter(
            show_default="by the recipe's parts",
            help="A TOML file of what varies: options with a range [low, high], with { low, high, "
            "log }, or with a list of choices.",
        ),
    ] = None


@Parameter(name="*")
@dataclass(frozen=True)
class Untuned:
    """Changes of the untuned recipe."""

    data: Annotated[
        str | None,
        Parameter(show_default="the recipe's", help="A data set, or a folder of your own images."),
    ] = None
    data_dir: Annotated[
        Path | None,
        Parameter(show_default="none", help="Folder of the data set, if not in the cache."),
    ] = None
    weights: Annotated[
        Path | None,
        Parameter(show_default="none", help="Pretrained weights from which trainings start."),
    ] = None
    set: Annotated[
        list[str] | None,
        Parameter(
            negative="",
            show_default="none",
            help="Change one field or one option of the untuned recipe: --set epochs=30.",
        ),
    ] = None


_UNBOUND, _AS_WRITTEN = Bounds(), Untuned()


def tune(
    recipe: Annotated[str, Parameter(name="recipe", allow_leading_hyphen=False)],
    *,
    bounds: Bounds = _UNBOUND,
    untuned: Untuned = _AS_WRITTEN,
    where: Place = HERE,
    out: Path = Path("runs"),
    name: Annotated[str, Parameter(show_default="tune-RECIPE")] = "",
    device: str = "auto",
    threads: int = 0,
    trust: Annotated[list[Path] | None, Parameter(negative="", show_default="none")] = None,
    json: bool = False,
) -> dict[str, Any]:
    """Search good options of a recipe, and compare the winner with it on fresh seeds.

    Trials that are worse than others at the same epoch are stopped early. The same command goes on
    where it stopped. Validation images decide; the test split is not read. It needs the extra tune.

    Parameters
    ----------
    recipe
        A recipe that ships (see `hundredfold recipes`) or a .toml file.
    out
        The folder of the runs and the study.
    name
        The name of the search, whose folder it is in `out`.
    device
        auto, cpu, cuda, cuda:1 or mps.
    threads
        Threads of all trainings together; 0 takes every core.
    trust
        A .py file of your own that the recipe names, and that may run.
    json
        Print one JSON object.
    """
    options = {
        **asdict(bounds), **asdict(untuned), **asdict(where), "out": out, "name": name,
        "device": device, "threads": threads, "trust": trust,
    }  # fmt: skip
    options = {key: value for key, value in options.items() if value not in (None, "")}
    executor = tuning.choose(tuning.place(asdict(where)))
    search = tuning.prepare(recipe, options)
    try:
        found = tuning.carry_out(search, executor, Terminal(sys.stderr))
    except Interrupted as error:
        error.remedy = f"the same command goes on: hundredfold tune {recipe}"
        raise
    page = search.folder / "report.html"
    if not json:
        _say(found, page)
    return {"study": str(search.folder), "report": str(page), **found}


def _say(found: dict[str, Any], page: Path) -> None:
    """Print the winner's options beside those of the recipe, and what the comparison says."""
    trials = wording.plural(found["trials"], "trial")
    lines = [
        f"{trials} in {wording.seconds(found['seconds'])}; trial {found['winner']} is the best"
    ]
    for option, value in found["values"].items():
        lines.append(f"  {option} = {value}  (untuned {found['untuned'].get(option)})")
    lines += [f"recipe     {found['recipe']}", f"page       {page}", *found["sentences"]]
    sys.stdout.write("\n".join(lines) + "\n")
