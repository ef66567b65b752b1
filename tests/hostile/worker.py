"""Carry out cases in forked children of one process that has loaded everything once.

    python -m hostile.worker

reads a JSON object a line on stdin: harness (a module of hostile.cases), seed, part and of (which
cases: every `of`-th from `part`), and writes a JSON object a line for each case, with name, argv,
seconds, bytes, code and faults, and an empty line at the end. Each command runs in a copy of the
harness's base world, under limits of time and memory.
"""

import contextlib
import gc
import importlib
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from hostile.case import HERE, Case, digest, furnish_outside
from hostile.promises import End, broken
from modules import loadable
from tracing import attached

LOOK = 0.2  # seconds between looks at whether a command sleeps
ASLEEP = 6.0  # seconds of sleep of all threads until a command hangs
WALL = 300.0  # seconds until it hangs in any case; the machine may be busy
PROCESSOR = 20.0  # seconds of the processor until it is stopped
ADDRESSES = 8 << 30  # bytes of addresses over the start
PRINTED = 1 << 22  # bytes that are looked at


def load_all() -> None:
    """Import every module of the command, so that a child need not."""
    for name in loadable(without=("tensorflow",)):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # so that a child shares these pages


class World:
    """The base world of a harness, its copies, and the commands in them."""

    def __init__(self, folder: Path, fsync: bool = False) -> None:
        self.folder, self.base, self._harmless = folder, folder / "base", {}
        self.fsync = fsync
        (self.base / HERE).mkdir(parents=True)
        (folder / "said").mkdir()
        furnish_outside(self.base)

    def run(self, world: Path, case: Case, prepare: Callable[[], None] | None = None) -> End:
        """Carry out a command in a world and return how it ended."""
        said = [self.folder / "said" / name for name in ("stdout", "stderr")]
        for path in said:
            path.write_bytes(b"")
        start = _resident()
        child = os.fork()
        if child == 0:
            os._exit(self._child(world, case, said, prepare))
        tracer = _traced(child, case) if case.inject else None
        status, usage = _reap(child)
        if tracer:
            tracer.wait(10)
        hung = status is None
        code = os.waitstatus_to_exitcode(status) if status is not None else -9
        printed = [_head(path) for path in said]
        grown = usage.ru_maxrss * 1024 - start
        seconds = usage.ru_utime + usage.ru_stime
        return End(code, seconds, grown, hung or code == -signal.SIGXCPU, printed[0], printed[1])

    def carry_out(self, case: Case) -> dict[str, Any]:
        """Carry out a case in a copy of the base; return what is told of it."""
        twin = (case.twin or case.argv) if case.harmless else ()
        if twin and twin not in self._harmless:
            with self._copy() as world:
                plain = replace(case, argv=twin, inject=(), before=None)
                self._harmless[twin] = self.run(world, plain).seconds
        with self._copy() as world:
            case.build(world)
            before = digest(world)
            end = self.run(world, case)
            after = digest(world)
            changed = sorted(k for k in before | after if before.get(k) != after.get(k))
            harmless = self._harmless.get(twin, 0.0)
            faults = list(broken(case, end, harmless, changed, world))
        told = {"name": case.name, "argv": list(case.argv), "code": end.code, "faults": faults}
        return told | {"seconds": round(end.seconds, 2), "bytes": end.bytes}

    @contextlib.contextmanager
    def _copy(self) -> Iterator[Path]:
        world = self.folder / "world"
        shutil.copytree(self.base, world, symlinks=True)
        try:
            yield world
        finally:
            shutil.rmtree(world, onerror=_reopened)

    def _child(
        self, world: Path, case: Case, said: list[Path], prepare: Callable[[], None] | None
    ) -> int:
        from hundredfold import cli

        os.setsid()
        for descriptor, path in enumerate(said, 1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(world / HERE)
        home = {"HOME": str(self.folder / "home"), "XDG_STATE_HOME": str(self.folder / "state")}
        os.environ |= home | {"HUNDREDFOLD_CACHE": str(self.folder / "cache")} | case.environment
        for name in [name for name, value in case.environment.items() if value == "-"]:
            del os.environ[name]
        addresses = _addresses() + ADDRESSES
        resource.setrlimit(resource.RLIMIT_AS, (addresses, addresses))
        resource.setrlimit(resource.RLIMIT_CPU, (int(PROCESSOR), int(PROCESSOR) + 5))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if not self.fsync:
            os.fsync = lambda _: None
        for act in (prepare, case.before):
            if act:
                act()
        sys.argv = ["hundredfold", *case.argv]
        if case.inject:
            os.kill(os.getpid(), signal.SIGSTOP)  # until strace is attached
        try:
            return cli.main(list(case.argv))
        except BaseException:
            import traceback

            traceback.print_exc()
            return 1
        finally:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(Exception):
                    stream.flush()


def _traced(child: int, case: Case) -> subprocess.Popen[bytes]:
    """Attach strace with its faults to a child that has stopped, and let it go on."""
    os.waitpid(child, os.WUNTRACED)
    faults = [option for fault in case.inject for option in ("-e", f"inject={fault}")]
    tracer = attached(child, "-f", *faults)
    os.kill(child, signal.SIGCONT)
    return tracer


def _reap(child: int) -> tuple[int | None, resource.struct_rusage]:
    """Wait for a child; kill it, and return None for its status, where it takes too long."""
    handle = os.pidfd_open(child)
    looks = asleep = 0  # counted, for a process that was stopped itself sees no time pass
    try:
        while not select.select([handle], [], [], LOOK)[0]:
            looks, asleep = looks + 1, 0 if _awake(child) else asleep + 1
            if looks * LOOK > WALL or asleep * LOOK > ASLEEP:
                os.killpg(child, signal.SIGKILL)
                return None, os.wait4(child, 0)[2]
    finally:
        os.close(handle)
    _, status, usage = os.wait4(child, 0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what it left
    return status, usage


def _awake(process: int) -> bool:
    """Return whether a thread of a process or of one that it began runs, or would like to."""
    family = {process}
    for path in sorted(Path("/proc").glob("[0-9]*/stat"), key=lambda p: int(p.parent.name)):
        with contextlib.suppress(OSError):
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            if parent in family:
                family.add(int(path.parent.name))
    return any(_running(Path("/proc", str(one))) for one in family)


def _running(process: Path) -> bool:
    for path in process.glob("task/*/stat"):
        with contextlib.suppress(OSError):
            if path.read_text().rpartition(")")[2].split()[0] not in "SZ":
                return True
    return False


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(PRINTED)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _addresses() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _reopened(_: Callable[..., Any], name: str, __: Any) -> None:
    """Give a folder that a case closed its rights back, and remove it."""
    path = Path(name)
    for place in (path.parent, path):
        if place.is_dir() and not place.is_symlink():
            place.chmod(0o700)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def survey(order: dict[str, Any], folder: Path) -> Iterator[dict[str, Any]]:
    """Yield what is told of each case of an order."""
    harness = importlib.import_module(f"hostile.cases.{order['harness']}")
    world = World(folder, getattr(harness, "FSYNC", False))
    harness.furnish(world)
    for case in harness.cases(order["seed"])[order["part"] :: order["of"]]:
        yield world.carry_out(case)


def main() -> None:
    os.environ |= {"HUNDREDFOLD_OFFLINE": "1", "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}
    os.environ.pop("HUNDREDFOLD_DATA", None)
    os.umask(0o022)
    load_all()
    for line in sys.stdin:
        with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
            for told in survey(json.loads(line), Path(folder)):
                sys.stdout.write(json.dumps(told) + "\n")
                sys.stdout.flush()
        sys.stdout.write("\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
