"""The sections of a page, found by this folder: a file is an exhibit.

`curves.py` defines `curves(evidence) -> Exhibit`, its heading TITLE, and its place ORDER: small
numbers come first. What has no title stands under the page's own. A function that takes
`evidence` shows a run, one that takes `study` a study. An exhibit whose files are not there says
so in a sentence.
"""

import importlib
from dataclasses import dataclass

from hundredfold import spec
from hundredfold.reports.exhibit import Exhibit
from hundredfold.reports.run_evidence import RunEvidence
from hundredfold.reports.study_evidence import StudyEvidence


@dataclass(frozen=True)
class Section:
    """An exhibit on a page: the name of its file is its address, "#curves"."""

    name: str
    title: str
    exhibit: Exhibit


def sections(shown: RunEvidence | StudyEvidence) -> list[Section]:
    """Return all that is shown of a run or of a study, in the order of the page."""
    kind = "study" if isinstance(shown, StudyEvidence) else "evidence"
    listed = []
    for name in spec.names(__name__):
        if spec.describe(name, __name__).handed == (kind,):
            constants = spec.constants(name, __name__)
            listed.append((constants["ORDER"], name, constants["TITLE"]))
    return [Section(name, title, _show(name, shown)) for _, name, title in sorted(listed)]


def _show(name: str, shown: RunEvidence | StudyEvidence) -> Exhibit:
    module = importlib.import_module(f"{__name__}.{name}")
    exhibit: Exhibit = getattr(module, name)(shown)
    return exhibit
