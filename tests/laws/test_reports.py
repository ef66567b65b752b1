"""Every exhibit shows a full run or study, and says one sentence for an empty one."""

import importlib
import re
from pathlib import Path

import pytest

from hundredfold import spec
from hundredfold.data import Source
from hundredfold.reports._evidence import Evidence, Exhibit, StudyEvidence
from hundredfold.run import Run

EXHIBITS = spec.names("hundredfold.reports")


def show(name: str, run: Run, study: Path) -> Exhibit:
    place = Source(folder=None, cache=run.folder, offline=True)
    given = {"evidence": Evidence(run, place), "study": StudyEvidence(study, place)}
    (wanted,) = spec.describe(name, "hundredfold.reports").handed
    function = getattr(importlib.import_module(f"hundredfold.reports.{name}"), name)
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
def test_an_exhibit_of_nothing_is_a_title_and_a_sentence(name: str, bare: tuple[Run, Path]) -> None:
    exhibit = show(name, *bare)
    assert exhibit.title
    assert re.sub(r"<[^>]+>", "", exhibit.body).strip()
    assert not exhibit.figures


@pytest.mark.parametrize("name", EXHIBITS)
def test_an_exhibit_says_what_it_shows_and_is_part_of_a_page(name: str) -> None:
    signature = spec.describe(name, "hundredfold.reports")
    assert signature.summary.endswith(".")
    assert signature.module_doc
    source = (Path(hundredfold.__file__).parent / "reports" / "__init__.py").read_text()
    assert f"{name}(" in source
