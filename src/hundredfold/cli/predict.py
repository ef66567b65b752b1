"""`hundredfold predict`: labels and probabilities for files."""

import csv
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hundredfold import run as runs
from hundredfold.errors import DataError


def predict(
    run: str,
    /,
    *files: Path,
    top: int = 1,
    device: str = "auto",
    out: Path = runs.RUNS,
    json: bool = False,
) -> dict[str, Any]:
    """Predict image files by a run's best weights: CSV, or JSON with --json.

    Parameters
    ----------
    run
        A run, by name or folder; "latest" is the newest.
    files
        Image files, or folders of them.
    top
        How many classes to name for each file, likeliest first.
    device
        auto, cpu, cuda, cuda:1 or mps.
    out
        The folder in which runs are.
    json
        Print one JSON object.
    """
    opened = runs.open_run(run, out)
    from hundredfold import prediction
    from hundredfold.compute import device as devices
    from hundredfold.engines import engine_for

    place = devices.choose(device)
    found = prediction.predict(engine_for(opened.recipe).open(opened, place), files, top=top)
    if not json:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["file", "rank", "label", "probability"])
        for one in found:
            pairs = zip(one.labels, one.probabilities, strict=True)
            for rank, (label, probability) in enumerate(pairs, 1):
                writer.writerow([one.file, rank, label, f"{probability:.4f}"])
    bad = [one for one in found if one.error]
    if len(bad) == len(found):
        raise DataError(f"none of the {len(found)} files is an image", found=bad[0].error)
    for one in bad:
        print(f"left out: {one.error}", file=sys.stderr)  # noqa: T201
    return {"run": str(opened.folder), "predictions": [asdict(one) for one in found]}
