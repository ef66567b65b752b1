"""Every exhibit shows a full run or study, and says one sentence for an empty one."""

import importlib
import re
from pathlib import Path

import pytest

from hundredfold import reports, spec
from hundredfold.data import Source
from hundredfold.reports.exhibit import Exhibit
from hundredfold.reports.run_evidence import RunEvidence
from hundredfold.reports.study_evidence import StudyEvidence
from hundredfold.run import Run

PACKAGE = "hundredfold.reports.exhibits"
EXHIBITS = spec.names(PACKAGE)
FOLDER = Path(reports.__file__).parent / "exhibits"


def show(name: str, run: Run, study: Path) -> Exhibit:
    place = Source(folder=None, cache=run.folder, offline=True)
    given = {"evidence": RunEvidence(run, place), "study": StudyEvidence(study, place)}
    (wanted,) = spec.describe(name, PACKAGE).handed
    function = getattr(importlib.import_module(f"{PACKAGE}.{name}"), name)
    return function(given[wanted])


@pytest.fixture
def bare(tmp_path: Path) -> tuple[Run, Path]:
    """A run that has only begun, and a study without members."""
    run, study = Run(tmp_path / "run"), tmp_path / "study"
    run.folder.mkdir()
    study.mkdir()
    (run.folder / "recipe.toml").write_text('data = "digits"\nmodel = "simple_cnn"\n')
    run.save_info({"status": "running"})
    (study / "study.json").write_text('{"members": []}')
    return run, study


@pytest.mark.parametrize("name", EXHIBITS)
def test_an_exhibit_of_nothing_is_a_sentence(name: str, bare: tuple[Run, Path]) -> None:
    exhibit = show(name, *bare)
    assert re.sub(r"<[^>]+>", "", exhibit.body).strip()
    assert not exhibit.figures


@pytest.mark.parametrize("name", EXHIBITS)
def test_an_exhibit_says_what_the_page_needs(name: str) -> None:
    signature, constants = spec.describe(name, PACKAGE), spec.constants(name, PACKAGE)
    assert signature.handed in (("evidence",), ("study",))
    assert not signature.options
    assert signature.summary.endswith(".")
    assert signature.module_doc
    assert isinstance(constants["ORDER"], int)
    assert constants["TITLE"] == constants["TITLE"].strip()


@pytest.mark.parametrize("name", EXHIBITS)
def test_an_exhibit_is_on_its_page_and_in_its_contents(name: str, bare: tuple[Run, Path]) -> None:
    run, study = bare
    place = Source(folder=None, cache=run.folder, offline=True)
    shown = {
        "evidence": lambda: reports.write_run(run, place),
        "study": lambda: reports.write_study(study, place),
    }
    (kind,) = spec.describe(name, PACKAGE).handed
    constants = spec.constants(name, PACKAGE)
    title = constants["TITLE"]
    if "NEEDS" in constants:
        assert f'id="{name}"' not in shown[kind]().read_text(encoding="utf-8")
        (study / constants["NEEDS"]).write_text("{}")
    page = shown[kind]().read_text(encoding="utf-8")
    if title:
        assert f'<section id="{name}"><h2>{title}</h2>' in page
        assert f'<a href="#{name}">{title}</a>' in page
    assert show(name, run, study).body in page


@pytest.mark.parametrize("kind", ["evidence", "study"])
def test_exhibits_of_a_page_have_titles_of_their_own(kind: str) -> None:
    own = [name for name in EXHIBITS if spec.describe(name, PACKAGE).handed == (kind,)]
    titles = [spec.constants(name, PACKAGE)["TITLE"] for name in own]
    assert len(set(titles)) == len(titles)


def test_exhibits_are_named_nowhere_else() -> None:
    """A list of exhibits in another file would have to be kept in step with the folder.

    `inline.py` and `live_page.py` are no such lists: they choose the few that a notebook or a page
    of a run that still trains has room for.
    """
    others = {file for file in FOLDER.parent.rglob("*.py") if file.parent != FOLDER}
    others -= {FOLDER.parent / "inline.py", FOLDER.parent / "live_page.py"}
    others.add(FOLDER / "__init__.py")
    for name in EXHIBITS:
        imported = re.compile(rf"exhibits\.{name}\b|exhibits import .*\b{name}\b")
        assert not [file for file in others if imported.search(file.read_text(encoding="utf-8"))]
