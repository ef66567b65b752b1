"""Where jobs run: what a user says, and what is refused before anything starts."""

import sys
from pathlib import Path

import pytest

from hundredfold.errors import MissingError, UsageError
from hundredfold.executors import Job, Local, Place, Ray, Slurm, choose, ray_cluster


def test_each_cluster_has_its_executor(tmp_path: Path) -> None:
    assert isinstance(choose(Place(jobs=2)), Local)
    assert choose(Place("auto", cpus=2, gpus=0.5)) == Ray("auto", 2, 0.5)
    assert choose(Place("10.0.0.1:6379", insecure=True)) == Ray("10.0.0.1:6379", insecure=True)
    assert choose(Place("slurm", cpus=4, shared=tmp_path)) == Slurm(4, 0, tmp_path)


@pytest.mark.parametrize(
    ("place", "named"),
    [
        (Place(cpus=2), "--cpus-per-run is for --cluster"),
        (Place(gpus=1), "--gpus-per-run is for --cluster"),
        (Place(insecure=True), "--insecure is for --cluster"),
        (Place("auto", jobs=2), "--jobs is for this machine"),
        (Place("auto", gpus=1.5), "a part of one GPU or whole ones"),
        (Place("ray://host:10001"), "Ray's client"),
        (Place("host"), "is no cluster"),
        (Place("host:0"), "is no cluster"),
        (Place("slurm"), "a folder that every node sees"),
        (Place("slurm", gpus=0.5, shared=Path()), "SLURM gives whole GPUs"),
        (Place("auto", shared=Path("/nowhere")), "is not a folder"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_place_cannot_do_is_refused(place: Place, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        choose(place)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingError, match="needs Ray") as caught:
        list(Ray("local").outcomes({"a": Job(Path("a"))}, lambda _: ()))
    assert caught.value.remedy == "pip install hundredfold[ray]"


def test_without_slurm_its_command_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match="there is no sbatch"):
        list(Slurm(1, 0, tmp_path).outcomes({"a": Job(Path("a"))}, lambda _: ()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("cpus", "gpus", "named"),
    [(9, 0.0, "9 CPUs"), (1, 2.0, "2 GPUs"), (8, 0.5, "8 CPUs and 0.5 GPUs")],
)
def test_a_run_that_fits_on_no_node_is_refused(cpus: int, gpus: float, named: str) -> None:
    nodes = [
        {"Alive": True, "Resources": {"CPU": 8.0}},
        {"Alive": True, "Resources": {"CPU": 4.0, "GPU": 1.0}},
        {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}},
    ]
    ray_cluster.need_room(nodes, 8, 0.0)
    ray_cluster.need_room(nodes, 4, 1.0)
    with pytest.raises(UsageError, match=f"no node has {named}"):
        ray_cluster.need_room(nodes, cpus, gpus)
