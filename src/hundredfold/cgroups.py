"""Limits that a container sets for its processes: CPU time and memory (Linux control groups).

A limit holds for a group and all groups within it, so the smallest of the own group and its parents
counts. Both versions of control groups are read, at their usual places.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_SYSTEM = Path("/")
_NONE = 2**60  # bytes; more than any machine has
_V2 = ("", "unified")  # mount points below /sys/fs/cgroup
_V1 = {"cpu": ("cpu", "cpu,cpuacct"), "memory": ("memory",)}


def cpu_quota(system: Path = _SYSTEM) -> float | None:
    """Return the number of cores whose time the container may use; None without a limit.

    system: the root folder of the system.
    """
    quotas = [*_quotas_v2(system), *_quotas_v1(system)]
    return round(min(quotas), 2) if quotas else None


def free_memory(system: Path = _SYSTEM) -> int:
    """Return the bytes that the container's limits leave; 2**60 without a limit.

    Pages of files that can be dropped count as free.
    """
    names = (
        (None, "memory.max", "memory.current", "inactive_file"),
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    )
    free = [_NONE]
    for controller, limit, used, droppable in names:
        for group in _groups(system, controller):
            with suppress(OSError, ValueError, KeyError):
                lines = (group / "memory.stat").read_text(encoding="ascii").splitlines()
                cached = int(dict(line.split() for line in lines)[droppable])
                free.append(_number(group / limit) - _number(group / used) + cached)
    return max(0, min(free))


def _quotas_v2(system: Path) -> Iterator[float]:
    for group in _groups(system, None):
        with suppress(OSError, ValueError, ZeroDivisionError):  # ValueError: the limit is "max"
            limit, period = (group / "cpu.max").read_text(encoding="ascii").split()
            yield int(limit) / int(period)


def _quotas_v1(system: Path) -> Iterator[float]:
    for group in _groups(system, "cpu"):
        with suppress(OSError, ValueError, ZeroDivisionError):
            limit = _number(group / "cpu.cfs_quota_us")
            if limit > 0:  # -1 is no limit
                yield limit / _number(group / "cpu.cfs_period_us")


def _groups(system: Path, controller: str | None) -> Iterator[Path]:
    """Yield the folders of this process' group and its parents.

    controller: of version 1, or None for version 2. Folders need not exist: a container may show
    its own group as the root.
    """
    own = _own(system, controller)
    for mount in _V2 if controller is None else _V1[controller]:
        root = system / "sys/fs/cgroup" / mount
        group = root.joinpath(*own)
        yield from (group, *(parent for parent in group.parents if parent.is_relative_to(root)))


def _own(system: Path, controller: str | None) -> list[str]:
    """Return the names from the root to this process' group; [] where unknown."""
    try:
        lines = (system / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    for line in lines:
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers == "" if controller is None else controller in controllers.split(","):
            return [name for name in path.split("/") if name not in ("", "..")]
    return []


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))
