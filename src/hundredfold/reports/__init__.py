"""Reports: one self-contained HTML page a run and a study, and each drawing as an SVG file.

A file is an exhibit: `curves.py` defines `curves(evidence) -> Exhibit`. An exhibit whose
files are not there says so in a sentence. Exhibits of a run take `evidence`, those of a study
take `study`; this module only puts them in order. Nothing here loads torch, draws with a
plotting library or touches the network.
"""

from collections.abc import Mapping
from pathlib import Path

from hundredfold import files
from hundredfold.data import Source
from hundredfold.errors import UsageError
from hundredfold.reports import _svg
from hundredfold.reports._evidence import Evidence, Exhibit, StudyEvidence
from hundredfold.reports._inline import (
    predictions_html,
    progress_html,
    run_html,
    study_html,
)
from hundredfold.reports._page import page
from hundredfold.reports.calibration import calibration
from hundredfold.reports.classes import classes
from hundredfold.reports.confusion import confusion
from hundredfold.reports.cost import cost
from hundredfold.reports.curves import curves
from hundredfold.reports.diagram import diagram
from hundredfold.reports.differences import differences
from hundredfold.reports.headline import headline
from hundredfold.reports.members import members
from hundredfold.reports.mistakes import mistakes
from hundredfold.reports.notes import notes
from hundredfold.reports.overlay import overlay
from hundredfold.reports.recipe import recipe
from hundredfold.reports.tradeoff import tradeoff
from hundredfold.reports.variants import variants
from hundredfold.reports.verdict import verdict
from hundredfold.run import Run

__all__ = [
    "predictions_html",
    "progress_html",
    "run_html",
    "study_html",
    "write_run",
    "write_study",
]

PAGE = "report.html"


def write_run(run: Run, source: Source) -> Path:
    """Write report.html and figures/*.svg into a run's folder; return the page.

    source: where the images of the worst mistakes are looked for; the network is not used.
    """
    evidence = Evidence(run, source)
    exhibits = {
        "headline": headline(evidence),
        "curves": curves(evidence),
        "cost": cost(evidence),
        "confusion": confusion(evidence),
        "classes": classes(evidence),
        "mistakes": mistakes(evidence),
        "calibration": calibration(evidence),
        "network": diagram(evidence),
        "notes": notes(evidence),
        "recipe": recipe(evidence),
    }
    return _write(run.folder, "run", exhibits, run.folder.resolve().name)


def write_study(folder: Path, source: Source) -> Path:
    """Write report.html and figures/*.svg into a study's folder; return the page.

    Raises UsageError where the folder holds no study.json.
    """
    if not (folder / "study.json").is_file():
        raise UsageError(
            f"{str(folder)!r} is not a study",
            found="no study.json in it",
            remedy="hundredfold study",
        )
    study = StudyEvidence(folder, source)
    exhibits = {
        "verdict": verdict(study),
        "variants": variants(study),
        "differences": differences(study),
        "curves": overlay(study),
        "cost": tradeoff(study),
        "runs": members(study),
    }
    return _write(folder, "study", exhibits, folder.resolve().name)


def _write(folder: Path, kind: str, exhibits: Mapping[str, Exhibit], name: str) -> Path:
    drawings = folder / "figures"
    drawings.mkdir(exist_ok=True)
    for exhibit in exhibits.values():
        for stem, svg in exhibit.figures.items():
            (drawings / f"{stem}.svg").write_text(_svg.standalone(svg), encoding="utf-8")
    files.write_text(folder / PAGE, page(kind, name, exhibits))
    return folder / PAGE
