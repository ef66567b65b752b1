"""What every test gets: folders of its own, one thread, no network, and the real data if at hand."""

import subprocess
import sys
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parents[1]
_SHARED = _REPOSITORY.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a test away from the user's cache, data and colours, and off the network."""
    monkeypatch.setenv("HUNDREDFOLD_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("HUNDREDFOLD_OFFLINE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("HUNDREDFOLD_DATA", raising=False)
    monkeypatch.delenv("HUNDREDFOLD_DEBUG", raising=False)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Let tests that use torch share the cores; a test that does not never loads it."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "set_num_threads"):
        torch.set_num_threads(1)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, so that `runs` is the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def real_cifar100(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the official cifar-100-binary, or skip where it is not at hand."""
    script = _SHARED / "unpack_cifar100.py"
    if not script.is_file():
        pytest.skip(f"the real CIFAR-100 is not at hand: there is no {script}")
    folder = tmp_path_factory.mktemp("real_cifar100")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder
