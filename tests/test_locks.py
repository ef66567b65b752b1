"""Locks: who else holds one, what a disk without them says, and systems that have none."""

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hundredfold import locks
from hundredfold.errors import HundredfoldWarning, UsageError
from hundredfold.run import Run
from tests.modules import loadable

_HIDE = "import sys\nfor name in ('fcntl', 'resource'): sys.modules[name] = None\n"
_HOLD = (
    "import sys, time\n"
    "from hundredfold import locks\n"
    "with open(sys.argv[1], 'a') as file, locks.exclusive(file, wait=True):\n"
    "    print('held', flush=True)\n"
    "    time.sleep(60)\n"
)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that holds the lock on tmp_path/.lock."""
    command = [sys.executable, "-c", _HOLD, str(tmp_path / ".lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def _failing(number: int) -> Callable[..., None]:
    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return flock


def test_a_lock_that_another_process_holds_is_refused_until_it_is_killed(
    tmp_path: Path, holder: subprocess.Popen[bytes]
) -> None:
    with (tmp_path / ".lock").open("a") as file:
        with pytest.raises(BlockingIOError), locks.exclusive(file, wait=False):
            raise AssertionError("two processes hold one lock")
        holder.kill()
        with locks.exclusive(file, wait=True):
            assert holder.wait() != 0


def test_a_lock_is_free_after_an_error_inside(tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("a") as first, (tmp_path / ".lock").open("a") as second:
        with pytest.raises(ValueError, match="no"), locks.exclusive(first, wait=False):
            raise ValueError("no")
        with locks.exclusive(second, wait=False):
            pass


@pytest.mark.parametrize("number", [errno.EIO, errno.EBADF, errno.EINTR])
def test_a_lock_that_fails_is_not_taken_for_another_writer(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", _failing(number))
    with pytest.raises(UsageError, match="cannot lock") as caught, Run(tmp_path).writer():
        raise AssertionError("it was locked")
    assert caught.value.found == os.strerror(number)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_disk_without_locks_is_warned_of_once_and_works(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", _failing(number))
    locks._warn.cache_clear()
    with pytest.warns(HundredfoldWarning, match="this disk has no file locks") as caught:
        for _ in range(2):
            with Run(tmp_path).writer():
                (tmp_path / "written").touch()
            with locks.alone(tmp_path / "entry"):
                pass
    assert len(caught) == 1


@pytest.mark.parametrize("number", [errno.EWOULDBLOCK, errno.EAGAIN])
def test_a_lock_that_would_block_is_another_writer(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", _failing(number))
    with pytest.raises(UsageError, match="another process"), Run(tmp_path).writer():
        raise AssertionError("it was locked")


def test_a_system_without_locks_warns_once_and_works(tmp_path: Path) -> None:
    code = _HIDE + (
        "from pathlib import Path\n"
        "from hundredfold.run import Run\n"
        "for _ in range(2):\n"
        "    with Run(Path(sys.argv[1])).writer(): print('written')\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "written\n" * 2
    assert done.stderr.count("no file locks") == 1


@pytest.mark.parametrize("verb", ["--help", "models", "recipes", "train --help"])
def test_commands_work_where_fcntl_and_resource_are_absent(verb: str) -> None:
    code = _HIDE + "from hundredfold.cli import main\nsys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, *verb.split()]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) > 5


def test_every_module_loads_where_fcntl_and_resource_are_absent() -> None:
    code = "import psutil, torch  # which load them on Linux\n" + _HIDE
    code += "import importlib\nfor name in sys.argv[1:]: importlib.import_module(name)\n"
    command = [sys.executable, "-c", code, *loadable(without=("tensorflow",))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
