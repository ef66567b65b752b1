"""A container's limits are found at its own place and all above it, in both versions."""

from pathlib import Path

import pytest

from hundredfold import cgroups, machine


def _system(root: Path, own: str, files: dict[str, str]) -> Path:
    """Write a system's root folder with /proc/self/cgroup and files below /sys/fs/cgroup."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(own, encoding="utf-8")
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="ascii")
    return root


_V1 = "5:cpuset:/x\n4:cpu,cpuacct:/docker/abc\n1:memory:/docker/abc\n"


@pytest.mark.parametrize(
    ("own", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000"}, None),
        ("0::/a/b/c\n", {"a/b/c/cpu.max": "max 100000", "a/cpu.max": "50000 100000"}, 0.5),
        ("0::/a/b\n", {"a/b/cpu.max": "300000 100000", "a/cpu.max": "200000 100000"}, 2.0),
        ("0::/a\n", {"unified/a/cpu.max": "400000 100000"}, 4.0),
        ("0::/../../other\n", {"cpu.max": "70000 100000"}, 0.7),
        (_V1, {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        (_V1, {"cpu/cpu.cfs_quota_us": "250000", "cpu/cpu.cfs_period_us": "100000"}, 2.5),
        (
            _V1,
            {
                "cpu,cpuacct/docker/cpu.cfs_quota_us": "100000",
                "cpu,cpuacct/docker/cpu.cfs_period_us": "50000",
            },
            2.0,
        ),
        ("", {"cpu.max": "100000 100000"}, 1.0),
        ("0::/\n", {"cpu.max": "100000 0"}, None),
        ("0::/\n", {"cpu.max": "many"}, None),
        ("nonsense", {}, None),
    ],
)
def test_the_smallest_quota_counts(
    tmp_path: Path, own: str, files: dict[str, str], cores: float | None
) -> None:
    assert cgroups.cpu_quota(_system(tmp_path, own, files)) == cores


def test_without_control_groups_there_is_no_limit(tmp_path: Path) -> None:
    assert cgroups.cpu_quota(tmp_path) is None
    assert cgroups.free_memory(tmp_path) == 2**60


def test_memory_of_both_versions_counts(tmp_path: Path) -> None:
    second = {
        "a/memory.max": "1000",
        "a/memory.current": "700",
        "a/memory.stat": "anon 1\ninactive_file 50",
        "memory.max": "max",
    }
    assert cgroups.free_memory(_system(tmp_path / "2", "0::/a/b\n", second)) == 350
    first = {
        "memory/memory.limit_in_bytes": "500",
        "memory/memory.usage_in_bytes": "600",
        "memory/memory.stat": "total_inactive_file 20",
    }
    assert cgroups.free_memory(_system(tmp_path / "1", _V1, first)) == 0


@pytest.mark.parametrize(
    ("quota", "variables", "cores"),
    [
        (None, {}, 8),
        (0.5, {}, 1),
        (2.9, {}, 2),
        (100.0, {}, 8),
        (None, {"OMP_NUM_THREADS": "3"}, 3),
        (None, {"OMP_NUM_THREADS": "4,2"}, 4),
        (None, {"OMP_NUM_THREADS": "64"}, 8),
        (None, {"OMP_NUM_THREADS": "0"}, 8),
        (None, {"OMP_NUM_THREADS": "-1", "SLURM_CPUS_PER_TASK": ""}, 8),
        (None, {"OMP_NUM_THREADS": "\u00b2"}, 8),
        (3.0, {"OMP_NUM_THREADS": "4", "SLURM_CPUS_PER_TASK": "2"}, 2),
    ],
)
def test_cores_are_those_that_every_limit_allows(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, variables: dict[str, str], cores: int
) -> None:
    monkeypatch.setattr(machine, "allowed", lambda: set(range(8)))
    monkeypatch.setattr(cgroups, "cpu_quota", lambda: quota)
    for name in ("OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert machine.cores() == cores
