"""Export a run: open it, fit its bounds, write the file and its check."""

import json
from pathlib import Path
from typing import Any

from hundredfold import calibration
from hundredfold.api.options import File, home
from hundredfold.data import Source
from hundredfold.run import Run
from hundredfold.spec import Range, need

_FRACTION = Range(0.0, 1.0)


def export(
    run: Run,
    to: str,
    file: File | None,
    force: bool,
    source: Source,
    reject_at: str = "",
    sets: float = 0.0,
    bounds: tuple[float, float] = (0.99, 0.005),
) -> Path:
    """Write a run to a target; return the file. See `Run.export`.

    bounds: `min_agreement` and `max_drop`.
    """
    from hundredfold import exporters
    from hundredfold.compute import device
    from hundredfold.engines import engine_for

    for name, value in zip(("min_agreement", "max_drop"), bounds, strict=True):
        need(name, value, _FRACTION)
    path = exporters.destination(run, to, Path(home(file)) if file else None, force=force)
    trained = exporters.Trained(
        run,
        engine_for(run.recipe).open(run, device.choose("cpu")),
        calibration.fit(run, reject_at, sets),
        source,
        exporters.Bounds(*bounds),
    )
    exporters.write(trained, to, path)
    return path


def check_of(path: Path) -> dict[str, Any]:
    """Return what was measured on an exported file."""
    text = path.with_name(f"{path.name}.check.json").read_text(encoding="utf-8")
    check: dict[str, Any] = json.loads(text)
    return check
