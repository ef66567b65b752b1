"""Machines, disks and callers that lack something: faults of system calls, full and small disks,
closed streams, limits, odd variables, no home, another user.
"""

import ctypes
import os
import random
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from hostile.case import HERE, Case, nothing
from hostile.cases import runs
from hostile.worker import World

FSYNC = True
COUNT = 420
TRAIN = ("train", "--data", "data", *runs.TRAIN, "--name", "n")
VERBS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "train": (TRAIN, (f"{HERE}/runs",)),
    "train again": ((*TRAIN[:-1], "done"), ()),
    "resume": (("train", "--resume", "stopped", "--threads", "1"), (f"{HERE}/runs",)),
    "evaluate": (("evaluate", "done", "--threads", "1"), (f"{HERE}/runs/done",)),
    "predict": (("predict", "done", "data/test", "--threads", "1"), ()),
    "report": (("report", "done"), (f"{HERE}/runs/done",)),
    "runs": (("runs",), ()),
    "check": (("data", "check", "data", "--json"), ()),
    "doctor": (("doctor",), ()),
    "models": (("models", "--json"), ()),
    "study": (("study", "lab.toml", "--data-dir", "data", "--threads", "1"), (f"{HERE}/runs",)),
}  # fmt: skip
FAULTS: dict[str, tuple[str, ...]] = {
    "symlink,symlinkat": ("EPERM", "ENOSYS", "EOPNOTSUPP", "EACCES", "EROFS", "ENOSPC", "EIO"),
    "flock": ("ENOLCK", "ENOSYS", "EOPNOTSUPP", "EINVAL", "EIO", "EINTR", "EBADF", "EPERM"),
    "fcntl": ("ENOLCK", "EINVAL", "EAGAIN"),
    "fsync,fdatasync": ("EINVAL", "EIO", "ENOSPC", "EROFS", "ENOSYS", "EDQUOT"),
    "rename,renameat,renameat2": ("EIO", "EXDEV", "EPERM", "EBUSY", "ESTALE", "ENOSPC", "EACCES"),
    "link,linkat": ("EPERM", "EMLINK", "EOPNOTSUPP", "EXDEV"),
    "mkdir,mkdirat": ("ENOSPC", "EROFS", "EACCES", "EMLINK", "EDQUOT", "EIO"),
    "unlink,unlinkat": ("EBUSY", "EPERM", "EACCES", "EROFS", "EIO"),
    "rmdir": ("EBUSY", "ENOTEMPTY", "EPERM"),
    "chmod,fchmod,fchmodat": ("EPERM", "ENOSYS", "EROFS", "EOPNOTSUPP"),
    "statfs,fstatfs": ("EIO", "ENOSYS", "EOVERFLOW"),
    "getdents64": ("EIO", "ESTALE", "EACCES"),
    "openat": ("EMFILE", "ENFILE", "EIO", "ESTALE", "EACCES", "ENOSPC", "EROFS", "ELOOP", "ENXIO"),
    "write,pwrite64": ("ENOSPC", "EDQUOT", "EIO", "EFBIG", "EROFS", "ESTALE"),
    "read,pread64": ("EIO", "ESTALE", "EISDIR"),
    "newfstatat,fstat,lstat,stat,statx": ("EIO", "ESTALE", "EACCES", "EOVERFLOW"),
    "sched_getaffinity": ("ENOSYS", "EPERM"),
    "sched_setaffinity": ("EPERM",),
    "uname": ("EFAULT",),
    "getcwd": ("ENOENT", "EACCES"),
    "prctl": ("EINVAL", "EPERM"),
    "sysinfo": ("ENOSYS",),
    "utimensat": ("EPERM", "EROFS"),
    "ftruncate": ("EIO", "ENOSPC"),
    "readlink,readlinkat": ("EIO", "EINVAL", "EACCES"),
    "ioctl": ("ENOTTY", "EIO"),
    "pipe2": ("EMFILE", "ENFILE"),
    "clone,clone3,fork,vfork": ("EAGAIN", "ENOMEM"),
    "socket": ("EPERM", "EAFNOSUPPORT"),
}
_ALWAYS = ("symlink", "flock", "fsync", "link", "chmod", "statfs", "sched", "prctl", "utimensat",
           "uname", "sysinfo", "socket", "rmdir", "fcntl", "getcwd")  # fmt: skip


def furnish(world: World) -> None:
    """Make images, a finished and a stopped run of them, and a study."""
    runs.furnish(world)


def cases(seed: int) -> list[Case]:
    """Return all cases, in a random order that depends on the seed."""
    chance = random.Random(seed)
    made = [*_callers(chance), *_disks(chance)]
    if shutil.which("strace"):
        made += [_injected(chance) for _ in range(COUNT - len(made))]
    chance.shuffle(made)
    return made


def _case(words: str, verb: str, **more: object) -> Case:
    argv, allowed = VERBS[verb]
    return Case(f"{verb}: {words}", argv, may_change=allowed, **more)  # type: ignore[arg-type]


def _injected(chance: random.Random) -> Case:
    """Return a case in which system calls of a kind fail, all of them or from some one on."""
    verb = chance.choice([*VERBS, "train", "train", "resume"])
    calls = chance.choice(list(FAULTS))
    error = chance.choice(FAULTS[calls])
    when = chance.choice([f"{chance.randrange(1, 60)}", f"{chance.randrange(1, 60)}+"])
    if calls.startswith(_ALWAYS):
        when = "1+"
    fault = f"{calls}:error={error}:when={when}"
    return _case(fault, verb, inject=(fault,), harmless=False)


# --- callers


def _callers(chance: random.Random) -> Iterator[Case]:
    for words, environment in _VARIABLES.items():
        for verb in chance.sample(["train", "doctor", "predict", "check", "report"], 2):
            yield _case(words, verb, environment=environment, twin=VERBS[verb][0])
    for words, act in _LIMITS.items():
        for verb in chance.sample(list(VERBS), 3):
            yield _case(words, verb, before=act)


_VARIABLES: dict[str, dict[str, str]] = {
    "no home": {"HOME": "-", "HUNDREDFOLD_CACHE": "-"},
    "a home that is empty": {"HOME": "", "HUNDREDFOLD_CACHE": "-"},
    "a home that is nowhere": {"HOME": "/proc/nonexistent/home", "HUNDREDFOLD_CACHE": "-"},
    "a home that is a device": {"HOME": "/dev/null", "HUNDREDFOLD_CACHE": "-"},
    "a home that is relative": {"HOME": "x/y", "HUNDREDFOLD_CACHE": "-", "XDG_STATE_HOME": "-"},
    "a cache that is empty": {"HUNDREDFOLD_CACHE": "", "HOME": "/dev/null"},
    "a cache that is a device": {"HUNDREDFOLD_CACHE": "/dev/null"},
    "a cache in /proc": {"HUNDREDFOLD_CACHE": "/proc/x"},
    "a cache with a tilde": {"HUNDREDFOLD_CACHE": "~nobody-there/x"},
    "a cache of escapes": {"HUNDREDFOLD_CACHE": "/dev/null/\x1b[2J"},
    "a cache that is no UTF-8": {"HUNDREDFOLD_CACHE": "/dev/null/\udcff"},
    "a cache of 5,000 letters": {"HUNDREDFOLD_CACHE": "/tmp/" + "x" * 5000},
    "a state that is a device": {"XDG_STATE_HOME": "/dev/null"},
    "a temporary folder that is nowhere": {"TMPDIR": "/proc/nonexistent"},
    "no columns": {"COLUMNS": "0", "LINES": "0"},
    "columns of letters": {"COLUMNS": "x", "LINES": "-5"},
    "a million columns": {"COLUMNS": "1000000"},
    "threads of letters": {"OMP_NUM_THREADS": "x"},
    "no threads": {"OMP_NUM_THREADS": "0"},
    "negative threads": {"OMP_NUM_THREADS": "-3"},
    "a list of threads": {"OMP_NUM_THREADS": "4,2"},
    "10^30 threads": {"OMP_NUM_THREADS": "1" + "0" * 30},
    "Slurm with letters": {"SLURM_CPUS_PER_TASK": "x"},
    "Slurm with none": {"SLURM_CPUS_PER_TASK": "0"},
    "Slurm with 2(x3)": {"SLURM_CPUS_PER_TASK": "2(x3)"},
    "data that are nowhere": {"HUNDREDFOLD_DATA": "/proc/nonexistent"},
    "data that are empty": {"HUNDREDFOLD_DATA": ""},
    "an odd terminal": {"TERM": "x\x1b[2J", "COLORTERM": "x"},
    "an odd language": {"LANG": "xx_YY.ZZZ", "LC_ALL": "x"},
    "an odd zone": {"TZ": "Nowhere/" + "x" * 900},
    "a proxy": {"https_proxy": "nonsense://", "HTTP_PROXY": "x"},
    "an odd offline": {"HUNDREDFOLD_OFFLINE": "maybe"},
    "an odd debug": {"HUNDREDFOLD_DEBUG": "2"},
    "no path": {"PATH": ""},
}


def _limit(kind: int, value: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (value, value))


def _memory(more: int) -> Callable[[], None]:
    def lower() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + more
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    return lower


def _closed(*descriptors: int) -> Callable[[], None]:
    """Return what closes streams as a shell's `>&-` does, before the command begins."""
    import sys

    def close() -> None:
        for number in descriptors:
            os.close(number)
            setattr(sys, ("stdin", "stdout", "stderr")[number], None)

    return close


def _full() -> None:
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


def _broken() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    os.dup2(writer, 1)


def _gone() -> None:
    folder = Path.cwd()
    other = folder.with_name("gone")
    other.mkdir()
    os.chdir(other)
    other.rmdir()


def _ignoring() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)


_LIMITS: dict[str, Callable[[], None]] = {
    "a umask of 777": lambda: os.umask(0o777) and None,
    "a umask of 077": lambda: os.umask(0o077) and None,
    "a umask of 0": lambda: os.umask(0) and None,
    "12 open files": _limit(resource.RLIMIT_NOFILE, 12),
    "20 open files": _limit(resource.RLIMIT_NOFILE, 20),
    "files of 1,000 bytes": _limit(resource.RLIMIT_FSIZE, 1000),
    "files of 100 kB": _limit(resource.RLIMIT_FSIZE, 100_000),
    "files of no bytes": _limit(resource.RLIMIT_FSIZE, 0),
    "2 MB of memory": _memory(2 << 20),
    "20 MB of memory": _memory(20 << 20),
    "60 MB of memory": _memory(60 << 20),
    "150 MB of memory": _memory(150 << 20),
    "stdout closed": _closed(1),
    "stderr closed": _closed(2),
    "all streams closed": _closed(0, 1, 2),
    "stdout full": _full,
    "stdout without a reader": _broken,
    "a current folder that is gone": _gone,
    "signals ignored": _ignoring,
}


# --- disks


def _mounted(where: str, size: str) -> Callable[[], None]:
    """Return what mounts a small disk on a folder, in a name space of the child's own."""

    def mount() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(0x00020000):
            os._exit(0)  # it cannot be had here
        libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None)
        if libc.mount(b"tmpfs", os.fsencode(where), b"tmpfs", 0, f"size={size}".encode()):
            os._exit(0)

    return mount


def _read_only(where: str) -> Callable[[], None]:
    def mount() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(0x00020000):
            os._exit(0)
        libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None)
        place = os.fsencode(where)
        libc.mount(place, place, None, 0x1000, None)
        libc.mount(place, place, None, 0x1000 | 0x20 | 0x1, None)

    return mount


def _disks(chance: random.Random) -> Iterator[Case]:
    for size in ("4k", "64k", "120k", "200k", "400k", "1m"):
        yield _case(f"a disk of {size} for runs", "train", before=_mounted("runs", size))
        fresh = (*VERBS["study"][0], "--out", "fresh")  # as no run is there, on the small disk
        mounted = _mounted("runs", size)
        yield _case(f"a disk of {size} for runs", "study", before=mounted, twin=fresh)
        cache = Path("..", "..", "cache")
        yield _case(f"a disk of {size} for the cache", "check", before=_mounted(str(cache), size))
        yield _case(f"a disk of {size} for the cache", "train", before=_mounted(str(cache), size))
    for where in ("runs", ".", "../../cache", "runs/done", "runs/stopped/state", "/tmp"):
        for verb in chance.sample(list(VERBS), 4):
            yield _case(f"{where} read-only", verb, before=_read_only(where))
    for kind in ("a folder in the way", "a file in the way", "a link in the way"):
        yield _case(f"{kind} of latest", "train", build=_in_the_way(kind, "latest"))
        yield _case(f"{kind} of the run", "train", build=_in_the_way(kind, "n"))
        yield _case(f"{kind} of the runs", "train", build=_in_the_way(kind, ""))
    yield _case("nothing in the way", "train", build=nothing)


def _in_the_way(kind: str, name: str) -> Callable[[Path], None]:
    from hostile import odd

    def build(world: Path) -> None:
        path = world / HERE / "runs" / name
        odd.remove(path)
        if "folder" in kind:
            path.mkdir()
        elif "file" in kind:
            path.write_text("mine\n")
        else:
            path.symlink_to("nothing-there")

    return build
