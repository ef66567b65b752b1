"""What run.json says of the code: that of the package's own checkout, or nothing."""

import shutil
import subprocess
from pathlib import Path

import pytest

from hundredfold import cli
from hundredfold.run import Run
from hundredfold.training import record

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


def _git(folder: Path, *arguments: str) -> str:
    own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *own, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def _repository(folder: Path, package: str) -> Path:
    """Make a repository that holds a package at a path, and return the package's folder."""
    place = folder / package
    place.mkdir(parents=True)
    (place / "__init__.py").write_text("")
    _git(folder, "init", "-q")
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "-m", "first")
    return place


def test_a_checkout_of_the_package_is_recorded_with_its_changes(tmp_path: Path) -> None:
    package = _repository(tmp_path, "src/hundredfold")
    commit = _git(tmp_path, "rev-parse", "HEAD")
    assert record._git(package) == {"commit": commit, "changed": False}
    (package / "__init__.py").write_text("1")
    assert record._git(package) == {"commit": commit, "changed": True}


@pytest.mark.parametrize(
    "place", [".venv/lib/site-packages/hundredfold", "vendor/hundredfold", "hundredfold"]
)
def test_a_repository_that_merely_contains_the_package_is_not_blamed(
    tmp_path: Path, place: str
) -> None:
    package = _repository(tmp_path, place)
    (package / "__init__.py").write_text("1")
    assert record._git(package) is None


def test_the_current_folder_and_a_hooks_variables_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = _repository(tmp_path / "own", "src/hundredfold")
    _repository(tmp_path / "other", "src")
    monkeypatch.chdir(tmp_path / "other")
    (tmp_path / "other" / "src" / "__init__.py").write_text("1")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
    commit = record._git(package)
    monkeypatch.undo()
    assert commit == {"commit": _git(tmp_path / "own", "rev-parse", "HEAD"), "changed": False}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run of few images, whose batch followed them."""
    out = tmp_path_factory.mktemp("runs")
    data = "shapes(size=18, classes=4, images=10)"
    arguments = ["--data", data, "--epochs", "1", "--threads", "1", "--precision", "fp32"]
    assert cli.main(["train", *arguments, "--out", str(out), "--name", "a"]) == 0
    return Run(out / "a")


def _page(run: Run) -> str:
    assert cli.main(["report", str(run.folder)]) == 0
    return (run.folder / "report.html").read_text()


CODE = [
    (None, False),
    ({"commit": "c", "changed": False}, False),
    ({"commit": "c", "changed": True}, True),
]


@pytest.mark.parametrize(("git", "blamed"), CODE)
def test_a_page_blames_the_code_only_where_the_package_was_changed(
    run: Run, git: object, blamed: bool
) -> None:
    run.save_info(run.info | {"git": git})
    assert ("uncommitted" in _page(run)) is blamed


def test_a_page_says_that_the_batch_followed_the_set(run: Run) -> None:
    assert "batches of 8 instead of 128" in _page(run)
