"""The sections of a page: each file of this folder is an exhibit.

`curves.py` defines `curves(evidence) -> Exhibit`, the heading TITLE, and ORDER: exhibits are
sorted by it. An exhibit without a title is placed under the title of the page. A function with
the parameter `evidence` shows a run, one with `study` a study. Where its files are missing, an
exhibit is one sentence. One with CLASSES is left out for runs of another number of classes, and one
with NEEDS for folders without that file.
"""

import importlib
from dataclasses import dataclass

from hundredfold import spec
from hundredfold.reports.exhibit import Exhibit
from hundredfold.reports.run_evidence import RunEvidence
from hundredfold.reports.study_evidence import StudyEvidence
from hundredfold.run import plain


@dataclass(frozen=True)
class Section:
    """An exhibit on a page; the name of its file is its anchor, "#curves"."""

    name: str
    title: str
    exhibit: Exhibit


def sections(shown: RunEvidence | StudyEvidence) -> list[Section]:
    """Return the sections of a run or a study, in the order of the page."""
    kind = "study" if isinstance(shown, StudyEvidence) else "evidence"
    classes = 0 if isinstance(shown, StudyEvidence) else len(shown.classes)
    listed = []
    for name in spec.names(__name__):
        constants = spec.constants(name, __name__)
        fits = not classes or constants.get("CLASSES", classes) == classes
        fits = fits and ("NEEDS" not in constants or _has(shown, constants["NEEDS"]))
        if fits and spec.describe(name, __name__).handed == (kind,):
            listed.append((constants["ORDER"], name, constants["TITLE"]))
    return [Section(name, title, _show(name, shown)) for _, name, title in sorted(listed)]


def _has(shown: RunEvidence | StudyEvidence, file: str) -> bool:
    folder = shown.folder if isinstance(shown, StudyEvidence) else shown.run.folder
    return plain.exists(folder / file)


def _show(name: str, shown: RunEvidence | StudyEvidence) -> Exhibit:
    module = importlib.import_module(f"{__name__}.{name}")
    exhibit: Exhibit = getattr(module, name)(shown)
    return exhibit
