"""`hundredfold report`: write the HTML page of a run or a study."""

import sys
import webbrowser
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from hundredfold.api import studying


def report(
    run_or_study: str = "latest",
    *,
    out: Path = Path("runs"),
    data_dir: Annotated[Path | None, Parameter(show_default="the folder of training")] = None,
    open: bool = False,
    json: bool = False,
) -> dict[str, Any]:
    """Write one self-contained HTML page, and its figures as SVG files.

    Parameters
    ----------
    run_or_study
        A run or a study, by name or folder; "latest" is the newest run.
    out
        The folder of the runs.
    data_dir
        Folder of the images of the worst mistakes, if not the folder of training.
    open
        Show the page in the browser.
    json
        Print one JSON object.
    """
    page = studying.report(run_or_study, data_dir=data_dir, out=out)
    if not json:
        sys.stdout.write(f"{page}\n")
    if open:
        webbrowser.open(page.resolve().as_uri())
    figures = sorted(map(str, (page.parent / "figures").glob("*.svg")))
    return {"report": str(page), "figures": figures}
