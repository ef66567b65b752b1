import json
import os
import shutil
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "benchmarks" / "on_gpu.sh"
NAMES = {"laws", "train", "graph", "speednet", "resnet_18", "wrn_28_10", "budget", "two_devices"}

needs_timeout = pytest.mark.skipif(
    shutil.which("timeout") is None, reason="timeout(1) of coreutils is not installed"
)


def script(out, *options, python=sys.executable):
    environment = os.environ | {"PYTHON": str(python), "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONWARNINGS", None)
    done = subprocess.run(
        ["sh", str(SCRIPT), str(out), *options], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = {file.stem: json.loads(file.read_text()) for file in Path(out).glob("*.json")}
    return found.pop("summary"), found


@needs_timeout
def test_the_script_runs_to_its_end_on_a_processor(tmp_path):
    summary, steps = script(tmp_path / "out", "--toy")
    assert steps.keys() == NAMES
    assert all(step["toy"] and step["seconds"] <= step["limit_seconds"] for step in steps.values())
    expected = dict.fromkeys(NAMES, "done") | {"graph": steps["graph"]["status"]}
    assert summary["statuses"] == expected, summary
    if steps["graph"]["status"] == "not supported":
        assert "CUDA" in steps["graph"]["reason"]
    for way in ("eager", "compiled"):
        [run] = steps["train"]["ways"][way]["runs"]
        assert 0 <= run["test"] <= 1 and run["wall_seconds"] > run["seconds"]
    for name in ("speednet", "resnet_18", "wrn_28_10"):
        step, sides = steps[name], {"ours", "plain", "ours compiled", "plain compiled"}
        assert step["images_per_second"].keys() == sides and not step["errors"]
        assert step["over_plain"].keys() == sides - {"plain"}
    assert steps["budget"]["over"] == pytest.approx(
        steps["budget"]["run"]["wall_seconds"] / 10 - 1, abs=1e-3
    )


@needs_timeout
def test_a_step_that_fails_or_is_stopped_costs_only_itself(tmp_path):
    python = tmp_path / "python"
    python.write_text(
        "#!/bin/sh\n"
        'case "$2" in\n'
        f'start|close|summary) exec {sys.executable} "$@";;\n'
        'train) echo "it broke here" >&2; exit 3;;\n'
        "graph) exit 124;;\n"
        f'*) exec {sys.executable} -c "{FAKE}" "$@";;\n'
        "esac\n"
    )
    python.chmod(0o755)
    summary, steps = script(tmp_path / "out", python=python)
    done = dict.fromkeys(NAMES, "done")
    assert summary["statuses"] == done | {"train": "failed", "graph": "timed out"}
    assert steps["train"]["log"] == ["it broke here"] and steps["train"]["exit_code"] == 3
    assert steps["graph"]["seconds"] >= 0 and steps["laws"]["log"] == []


FAKE = (
    "import json, pathlib, sys; at = sys.argv.index; "
    "folder = sys.argv[at('--folder') + 1]; name = sys.argv[2]; "
    "path = pathlib.Path(folder, name + '.json'); "
    "path.write_text(json.dumps({'name': name, 'status': 'done'}))"
)


def close(folder, code):
    import on_gpu

    on_gpu.close(Namespace(folder=folder, out="train", code=code, seconds=9.0, limit=10.0))
    return json.loads((folder / "train.json").read_text())


def test_a_step_that_ran_out_of_time_keeps_what_it_gave(tmp_path):
    known = {"name": "train", "status": "unfinished", "ways": {"eager": 1}}
    (tmp_path / "train.json").write_text(json.dumps(known))
    (tmp_path / "train.log").write_text("\n".join(map(str, range(100))))
    found = close(tmp_path, 124)
    assert (found["status"], found["ways"], found["seconds"]) == ("timed out", {"eager": 1}, 9)
    assert found["log"][-1] == "99" and len(found["log"]) < 100


def test_a_step_that_says_nothing_of_its_end_has_failed(tmp_path):
    (tmp_path / "train.json").write_text(json.dumps({"name": "train", "status": "unfinished"}))
    assert close(tmp_path, 0)["status"] == "failed"


def test_time_limits_end_within_eight_minutes():
    limits = [int(line.split()[2]) for line in SCRIPT.read_text().splitlines()
              if line.startswith("step ") and line.split()[1] in NAMES]  # fmt: skip
    assert len(limits) == len(NAMES)
    assert sum(limits[:-1]) < 8 * 60, "with one device, the last step is passed over"


def test_a_side_that_fails_costs_only_itself(monkeypatch):
    import _gpu_steps

    def broken(*_, compiled=False, **__):
        if compiled:
            raise RuntimeError("no compiler")
        return lambda: 8.0

    monkeypatch.setattr(_gpu_steps._plain, "work", broken)
    monkeypatch.setattr(_gpu_steps._ours, "work", lambda *_, **__: lambda: 8.0)
    *_, last = _gpu_steps.speed("resnet_18", Namespace(toy=True))
    assert last["status"] == "failed" and "no compiler" in last["errors"]["plain compiled"]
    assert last["images_per_second"].keys() == {"ours", "plain", "ours compiled"}


def test_a_training_that_fails_is_said_and_the_other_way_is_still_tried(monkeypatch):
    import _gpu_steps

    def training(seed, flags, options):
        if flags:
            raise RuntimeError("Triton is not there")
        return {"test": 0.5, "wall_seconds": 2.0, "seconds": 1.0}

    monkeypatch.setattr(_gpu_steps, "one_training", training)
    *_, last = _gpu_steps.train(Namespace(toy=True, limit=60.0))
    assert last["status"] == "failed" and last["ways"]["eager"]["test_top_1"]["value"] == 0.5
    assert "Triton" in last["ways"]["compiled"]["error"]


def test_seeds_are_trained_until_the_time_is_not_enough_for_another(monkeypatch):
    import _gpu_steps

    clock = [0.0]

    def training(seed, flags, options):
        clock[0] += 20
        return {"test": 0.5 + seed / 100, "wall_seconds": 20.0, "seconds": 15.0}

    monkeypatch.setattr(_gpu_steps, "one_training", training)
    monkeypatch.setattr(_gpu_steps.time, "monotonic", lambda: clock[0])
    *_, last = _gpu_steps.train(Namespace(toy=False, limit=180.0))
    runs = last["ways"]["compiled"]["runs"]
    assert len(runs) == 7 and clock[0] <= 180 - _gpu_steps.SPARE
    assert last["n"] == 7 and last["status"] == "done"
