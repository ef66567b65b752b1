"""`hundredfold report` finds runs and studies, and answers in JSON."""

import json
from pathlib import Path

import pytest

from hundredfold.cli import main
from hundredfold.run import Run


def test_a_run_is_found_by_name_and_its_page_is_printed(
    digits_run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", digits_run.name, "--out", str(digits_run.folder.parent)]) == 0
    assert capsys.readouterr().out.strip() == str(digits_run.folder / "report.html")


def test_a_study_answers_in_one_json_object(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(study), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["report"] == str(study / "report.html")
    assert str(study / "figures" / "means.svg") in answer["figures"]


def test_a_name_that_is_neither_is_one_sentence_and_exit_2(
    digits_run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "digits-rum", "--out", str(digits_run.folder.parent)]) == 2
    said = capsys.readouterr()
    assert "there is no run 'digits-rum'" in said.err
    assert "digits-run" in said.err
    assert "Traceback" not in said.err
