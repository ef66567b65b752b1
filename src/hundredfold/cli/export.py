"""`hundredfold export`: a file that others can run."""

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from hundredfold.api import exporting
from hundredfold.api.runs import load
from hundredfold.wording import percent, plural


def export(
    run: str = "latest",
    *,
    to: str = "onnx",
    file: Annotated[Path | None, Parameter(show_default="in the run's folder export")] = None,
    force: bool = False,
    data_dir: Annotated[Path | None, Parameter(show_default="the folder of training")] = None,
    reject_at: Annotated[str, Parameter(show_default="what the run stores")] = "",
    sets: Annotated[float, Parameter(show_default="what the run stores")] = 0.0,
    min_agreement: float = 0.99,
    max_drop: float = 0.005,
    out: Path = Path("runs"),
    trust: Annotated[list[Path] | None, Parameter(negative="", show_default="none")] = None,
    json: bool = False,
) -> dict[str, Any]:
    """Write a run's network as a file that takes raw images, checked on images of the run.

    FILE.check.json says what was measured; a model card, *.README.md, how to run the file.

    Parameters
    ----------
    run
        A run, by name or folder; "latest" is the newest.
    to
        onnx, onnx-int8, html, torch or openvino.
    file
        The file to write.
    force
        Replace a file that exists.
    data_dir
        Folder of the data that the file is checked with, if not the folder of training.
    reject_at
        What the bound of "unknown" is chosen for: accuracy=0.95 or coverage=0.95.
    sets
        How often label sets are to hold the true class, such as 0.9.
    min_agreement
        Of onnx-int8: the fraction of images that must get the class of the network.
    max_drop
        Of onnx-int8: what the accuracy may lose.
    out
        The folder of the runs.
    trust
        A .py file of your own that the run names, and that may run.
    json
        Print one JSON object.
    """
    opened = load(run, out=out, trust=trust)
    path = opened.export(
        to, file=file, force=force, data_dir=data_dir, reject_at=reject_at, sets=sets,
        min_agreement=min_agreement, max_drop=max_drop,
    )  # fmt: skip
    check = exporting.check_of(path)
    if not json:
        sys.stdout.write(f"{path}\n")
        sys.stderr.write(f"{_measured(check)}\n")
    return {"file": str(path), "check": check}


def _measured(check: dict[str, Any]) -> str:
    """Return what was measured on a file, in one line."""
    said = (
        f"checked on {check['n']:,} {check['source']} images with {check['runtime']}: "
        f"{percent(check['equal_classes'])} get the class of the network"
    )
    if "faster" in check:
        said += f"; {check['smaller']:.1f}x smaller and {check['faster']:.1f}x as fast as in fp32"
        if left := len(check["fp32_layers"]):
            said += f", with {plural(left, 'layer')} left in fp32"
    return said
