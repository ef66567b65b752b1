"""Reports: a self-contained HTML page for each run and study, and its drawings as SVG files.

The sections of a page are the files in `exhibits/`. This package uses neither torch, nor a
plotting library, nor the internet.
"""

from collections.abc import Sequence
from pathlib import Path

from hundredfold import files
from hundredfold.data import Source
from hundredfold.errors import UsageError
from hundredfold.reports import live_page
from hundredfold.reports.charts import standalone
from hundredfold.reports.data_page import write_check
from hundredfold.reports.exhibits import Section, sections
from hundredfold.reports.inline import (
    predictions_html,
    progress_html,
    run_html,
    study_html,
)
from hundredfold.reports.layout import page
from hundredfold.reports.live_page import Member, beat, write_live_run, write_live_study
from hundredfold.reports.pictures import from_file
from hundredfold.reports.run_evidence import Explain, RunEvidence
from hundredfold.reports.runs_page import write_runs
from hundredfold.reports.study_evidence import StudyEvidence
from hundredfold.run import Run, plain

__all__ = [
    "Member",
    "beat",
    "from_file",
    "predictions_html",
    "progress_html",
    "run_html",
    "study_html",
    "write_check",
    "write_live_run",
    "write_live_study",
    "write_run",
    "write_runs",
    "write_study",
]

PAGE, LIVE = "report.html", live_page.PAGE


def write_run(run: Run, source: Source, explain: Explain | None = None) -> Path:
    """Write report.html and figures/*.svg into a run's folder; return the page.

    source: of the images of the most confident mistakes; nothing is downloaded. explain: computes
    what mattered in some of them.
    """
    evidence = RunEvidence(run, source, explain)
    return _write(run.folder, "run", evidence.title, sections(evidence))


def write_study(folder: Path, source: Source) -> Path:
    """Write report.html and figures/*.svg into a study's folder; return the page.

    Raises UsageError where the folder holds no study.json.
    """
    if not (folder / "study.json").is_file():
        raise UsageError(
            f"{str(folder)!r} is not a study",
            found="it has no study.json",
            remedy="hundredfold study",
        )
    study = StudyEvidence(folder, source)
    return _write(folder, "study", study.title, sections(study))


def _write(folder: Path, kind: str, title: str, shown: Sequence[Section]) -> Path:
    plain.need_own(folder)
    drawings = folder / "figures"
    drawings.mkdir(exist_ok=True)
    for section in shown:
        for stem, svg in section.exhibit.figures.items():
            files.write_text(drawings / f"{stem}.svg", standalone(svg))
    name = folder.resolve().name
    files.write_text(folder / PAGE, page(kind, name, title, shown))
    return folder / PAGE
