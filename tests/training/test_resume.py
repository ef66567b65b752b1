"""A run that is stopped anywhere ends with the same last bit as one that is not."""

import json
import math
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hundredfold import cli, run
from hundredfold.training import checkpoint, loop, saves

Tasks = list[dict[str, Any]]
CarryOut = Callable[[Tasks], list[list[int]]]

PLAIN = ["--data", "shapes(size=20, classes=4, images=80)", "--batch-size", "16",
         "--precision", "fp32", "--threads", "1"]  # fmt: skip
CASES = {
    "simple_cnn, adam, dropout, average, augmentation, patience": [
        *PLAIN, "--model", "simple_cnn(dropout=0.3)", "--epochs", "7", "--patience", "2",
        "--augment", "flip | shift | mixup", "--set", "ema=0.9", "--optimizer", "adam(lr=0.003)",
    ],
    "wrn, sgd, dropout, progressive sizes, one cycle": [
        *PLAIN, "--model", "wrn(depth=10, width=1, dropout=0.3)", "--epochs", "5",
        "--resolution", "progressive", "--schedule", "one_cycle", "--augment", "pad_crop | flip",
        "--optimizer", "sgd(lr=0.05)", "--set", 'select="validation.top_1"',
    ],
    "speed-75: muon, whitening, alternating flip, micro-batches, all images": [
        "speed-75", *PLAIN, "--epochs", "4", "--set", "model.width=0.125",
        "--set", "micro_batch=6",
    ],
}  # fmt: skip
KILLS = 5


def _train(out: Path, name: str, options: list[str]) -> dict[str, Any]:
    folder = str(out / name)
    return {
        "arguments": ["train", *options, "--out", str(out), "--name", name],
        "resume": ["train", "--resume", folder],
        "run": folder,
        "save_every": 0.02,
    }


def _same(one: Path, other: Path) -> None:
    scored = run.Run(one).info["data"]["validation"] > 0
    scores = ("scores.json", "validation.logits.npy")
    assert all((folder / name).is_file() == scored for folder in (one, other) for name in scores)
    for name in ("weights/best.safetensors", "weights/last.safetensors", "recipe.toml",
                 *(scores if scored else ())):  # fmt: skip
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert _curve(one) == _curve(other)
    kept = ("best_epoch", "epochs", "reason", "status")
    infos = [json.loads((folder / "run.json").read_text()) for folder in (one, other)]
    assert [infos[0][key] for key in kept] == [infos[1][key] for key in kept]


def _curve(folder: Path) -> list[dict[str, float]]:
    return [row | {"seconds": 0} for row in run.Run(folder).curve]


@pytest.mark.parametrize("case", CASES)
def test_a_run_killed_at_random_ends_as_one_that_was_not(
    tmp_path: Path, carry_out: CarryOut, case: str
) -> None:
    chance = random.Random(case)
    waits = [*(chance.uniform(0.0, 0.12) for _ in range(KILLS)), None]
    killed = _train(tmp_path, "killed", CASES[case])
    killed |= {"signal": signal.SIGKILL, "waits": waits}
    whole, killed_codes = carry_out([_train(tmp_path, "whole", CASES[case]), killed])
    assert whole == [0]
    assert killed_codes[-1] == 0
    assert -signal.SIGKILL in killed_codes
    _same(tmp_path / "whole", tmp_path / "killed")


def test_a_run_stopped_by_a_signal_says_so_and_goes_on_to_the_same_end(
    tmp_path: Path, carry_out: CarryOut
) -> None:
    options = next(iter(CASES.values()))
    whole, *stopped = (_train(tmp_path, name, options) for name in ("whole", "INT", "TERM"))
    for task, number in zip(stopped, (signal.SIGINT, signal.SIGTERM), strict=True):
        task |= {"signal": number, "epochs": 2, "after": 0.01}
    codes = carry_out([whole, *stopped])
    assert codes == [[0], [130], [143]]
    for task in stopped:
        trained_run = run.Run(Path(task["run"]))
        assert trained_run.info["status"] == "stopped"
        assert "the state is saved" in trained_run.info["reason"]
        assert trained_run.best().is_file()
        assert 2 <= len(trained_run.curve) < 7
        assert trained_run.scores == {}
    resumed = [{"arguments": task["resume"]} for task in stopped]
    assert carry_out(resumed) == [[0], [0]]
    for task in stopped:
        _same(tmp_path / "whole", Path(task["run"]))


def test_a_run_that_died_right_after_an_epochs_last_step_writes_the_same_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [*CASES["wrn, sgd, dropout, progressive sizes, one cycle"], "--out", str(tmp_path)]
    assert cli.main(["train", *options, "--name", "whole"]) == 0
    steps = run.Run(tmp_path / "whole").info["steps_per_epoch"]
    save = checkpoint.save

    def die(folder: Path, step: int, *rest: Any) -> None:
        save(folder, step, *rest)
        if step == steps:
            raise RuntimeError("a power cut")

    with monkeypatch.context() as patch:
        patch.setattr(loop, "WITHIN_EPOCH", 0.0)
        patch.setattr(saves, "SHARE_OF_TIME", math.inf)
        patch.setattr(checkpoint, "save", die)
        assert cli.main(["train", *options, "--name", "broken"]) == 1
    assert cli.main(["train", "--resume", str(tmp_path / "broken")]) == 0
    _same(tmp_path / "whole", tmp_path / "broken")
