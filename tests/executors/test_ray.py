"""A real Ray cluster of two nodes on this machine: studies, lost nodes, interrupts, refusals."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hundredfold.run import Run

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: hundredfold[ray]"
)
if importlib.util.find_spec("ray") is not None:
    _SPEC = importlib.util.spec_from_file_location("nodes", Path(__file__).with_name("nodes.py"))
    assert _SPEC is not None and _SPEC.loader is not None
    nodes = importlib.util.module_from_spec(_SPEC)
    sys.modules["nodes"] = nodes
    _SPEC.loader.exec_module(nodes)

_STUDY = """
base = "digits"
seeds = {seeds}
[overrides]
epochs = {epochs}
data = "{data}"
precision = "fp32"
[vary.a]
[vary.b]
"optimizer.lr" = 0.02
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[nodes.Cluster]":
    """Start two nodes of one CPU each. Sockets need a short path, so it is in /tmp."""
    import tempfile

    short = tempfile.TemporaryDirectory(prefix="hf-", ignore_cleanup_errors=True)
    with short as folder, nodes.cluster(Path(folder), 2) as made:
        yield made


def command(
    cluster: "nodes.Cluster", folder: Path, *arguments: str, **variables: str
) -> subprocess.Popen[str]:
    environment = os.environ | cluster.environment | variables
    return subprocess.Popen(
        [sys.executable, "-m", "hundredfold", "study", "s.toml", *arguments],
        env=environment, cwd=folder, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def written(
    folder: Path, *, seeds: int = 1, epochs: int = 1, data: str = "digits(size=18)"
) -> None:
    text = _STUDY.format(seeds=seeds, epochs=epochs, data=data)
    (folder / "s.toml").write_text(text, encoding="utf-8")


def weights(out: Path) -> dict[str, bytes]:
    runs = [Run(path.parent) for path in out.glob("*/run.json") if not path.parent.is_symlink()]
    return {run.name: run.best().read_bytes() for run in runs if run.info["status"] == "done"}


def photos(folder: Path) -> Path:
    """Write two classes of 40 small images: dark ones and bright ones."""
    draw = np.random.default_rng(0)
    for name, low in (("dark", 0), ("bright", 128)):
        (folder / name).mkdir(parents=True)
        for number in range(40):
            pixels = draw.integers(low, low + 128, (20, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def test_runs_of_a_folder_have_the_bits_and_the_paths_of_local_ones(
    cluster: "nodes.Cluster", tmp_path: Path
) -> None:
    images = photos(tmp_path / "photos")
    written(tmp_path, data="image_folder(size=20)")
    there = command(cluster, tmp_path, "--data-dir", "photos", "--cluster", cluster.address)
    said = there.communicate(timeout=150)[0]
    assert there.returncode == 0, said
    here = command(cluster, tmp_path, "--data-dir", "photos", "--out", "here", "--threads", "1")
    assert here.communicate(timeout=150) and here.returncode == 0
    assert weights(tmp_path / "runs") == weights(tmp_path / "here")
    assert len(weights(tmp_path / "runs")) == 2
    for path in (tmp_path / "runs").glob("*/run.json"):
        info = json.loads(path.read_text(encoding="utf-8"))
        assert Path(info["data"]["folder"]) == images
        assert info["data"]["name"] == "photos"
    caches = [list(cluster.folder.glob(f"cache-{n}/inputs/*/photos")) for n in (0, 1)]
    assert [len(found) for found in caches] in ([1, 1], [1, 0], [0, 1])


def test_a_lost_node_loses_no_run(cluster: "nodes.Cluster", tmp_path: Path) -> None:
    written(tmp_path, seeds=3, epochs=3)
    whole = command(cluster, tmp_path, "--out", "whole", "--threads", "1", "--jobs", "1")
    assert whole.communicate(timeout=150) and whole.returncode == 0
    spare = cluster.add()
    cluster.await_nodes(3)
    study = command(cluster, tmp_path, "--cluster", cluster.address)
    _await(lambda: len(weights(tmp_path / "runs")) >= 1, study)
    nodes.kill(spare)
    said = study.communicate(timeout=170)[0]
    assert study.returncode == 0, said
    assert weights(tmp_path / "runs") == weights(tmp_path / "whole")
    assert len(weights(tmp_path / "runs")) == 6


def test_an_interrupted_study_saves_and_the_same_command_goes_on(
    cluster: "nodes.Cluster", tmp_path: Path
) -> None:
    written(tmp_path, epochs=400)
    study = command(cluster, tmp_path, "--cluster", cluster.address)
    _await(lambda: _two_have_saved(cluster), study)
    study.send_signal(signal.SIGINT)
    said = study.communicate(timeout=120)[0]
    assert study.returncode == 130, said
    assert "the state of every run is saved" in said
    saved = [run for run in _runs(tmp_path / "runs") if run.info["status"] == "stopped"]
    assert len(saved) == 2
    assert all(list((run.folder / "state").glob("*.json")) for run in saved)
    _await(lambda: not _trainings(cluster), None)


def _runs(out: Path) -> list[Run]:
    return [Run(p.parent) for p in out.glob("*/run.json") if not p.parent.is_symlink()]


def _trainings(cluster: "nodes.Cluster") -> list[Path]:
    """Return the folders in which processes of the nodes train."""
    import psutil

    found = []
    for node in cluster.nodes:
        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(node.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    words = process.cmdline()
                    if "hundredfold" in words and "--out" in words:
                        found.append(Path(words[words.index("--out") + 1]))
    return found


def _two_have_saved(cluster: "nodes.Cluster") -> bool:
    saved = [list(folder.glob("*/state/*.json")) for folder in _trainings(cluster)]
    return sum(map(bool, saved)) == 2


def _await(reached: Callable[[], bool], study: subprocess.Popen[str] | None) -> None:
    limit = time.monotonic() + 120
    while not reached():
        assert study is None or study.poll() is None, study.communicate()[0]
        assert time.monotonic() < limit, "it takes too long"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("arguments", "variables", "named"),
    [
        (["127.0.0.1:1"], {}, "nothing listens at 127.0.0.1:1"),
        (["{there}"], {"RAY_AUTH_TOKEN_PATH": "{wrong}"}, "refuses this token"),
        (["{own}"], {"RAY_AUTH_MODE": "disabled"}, "without authentication"),
        (["{there}", "--cpus-per-run", "99"], {}, "no node has 99 CPUs"),
        (["ray://127.0.0.1:10001"], {}, "Ray's client"),
    ],
    ids=["nothing", "token", "no token", "cpus", "client"],
)
def test_a_cluster_that_cannot_be_used_is_one_sentence(
    cluster: "nodes.Cluster",
    tmp_path: Path,
    arguments: Sequence[str],
    variables: dict[str, str],
    named: str,
) -> None:
    import ray

    wrong = tmp_path / "wrong"
    wrong.write_text("0" * 64, encoding="utf-8")
    wrong.chmod(0o600)
    own = f"{ray.util.get_node_ip_address()}:{cluster.port}"
    words = {"there": cluster.address, "own": own, "wrong": str(wrong)}
    written(tmp_path)
    study = command(
        cluster, tmp_path, "--cluster", *(a.format(**words) for a in arguments),
        **{k: v.format(**words) for k, v in variables.items()},
    )  # fmt: skip
    said = study.communicate(timeout=120)[0]
    assert study.returncode == 2, said
    assert named in said
    assert "Traceback" not in said
    assert not (tmp_path / "runs").exists()
