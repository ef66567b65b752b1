"""`hundredfold report`: the HTML page of a run or a study."""

import webbrowser
from dataclasses import replace
from pathlib import Path
from typing import Any

from hundredfold import reports
from hundredfold import run as runs
from hundredfold.data import Source


def report(
    run_or_study: str = "latest",
    *,
    out: Path = runs.RUNS,
    data_dir: Path | None = None,
    open: bool = False,
    json: bool = False,
) -> dict[str, Any]:
    """Write one self-contained HTML page, and its figures as SVG files.

    Parameters
    ----------
    run_or_study
        A run or a study, by name or folder; "latest" is the newest run.
    out
        The folder in which runs are.
    data_dir
        Where the images of the worst mistakes lie, if not where they lay in training.
    open
        Show the page in the browser.
    json
        Print one JSON object.
    """
    source = Source()
    source = replace(source, folder=data_dir) if data_dir else source
    study = _study(run_or_study, out)
    if study:
        page = reports.write_study(study, source)
    else:
        page = reports.write_run(runs.open_run(run_or_study, out), source)
    if not json:
        print(page)  # noqa: T201
    if open:
        webbrowser.open(page.resolve().as_uri())
    return {
        "report": str(page),
        "figures": sorted(map(str, (page.parent / "figures").glob("*.svg"))),
    }


def _study(text: str, out: Path) -> Path | None:
    places = (Path(text), out / text)
    return next((place for place in places if (place / "study.json").is_file()), None)
