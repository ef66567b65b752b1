"""A compiled step: the same numbers, kept on resume, refused where it cannot be."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hundredfold import cli
from hundredfold.compute.convolution import Conv2d
from hundredfold.engines.pytorch.learner import Learner
from hundredfold.models._layers import NormSiLU, Scale
from hundredfold.optim import losses, optimizers

SMALL = ["train", "--data", "shapes(size=18, classes=4, images=24)", "--batch-size", "16",
         "--precision", "fp32", "--threads", "1", "--epochs", "1"]  # fmt: skip


def _trained(compiled: bool, size: int) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Return the sums of three steps of two micro-batches each, and the weights after them."""
    torch.manual_seed(0)
    model = nn.Sequential(
        Scale(), Conv2d(3, 16, 3), NormSiLU(16), nn.AvgPool2d(4), nn.Flatten(), nn.LazyLinear(4)
    )
    model(torch.ones(2, 3, size, size, dtype=torch.uint8))
    learner = Learner(
        model,
        optimizers.sgd(model, lr=0.01),
        lambda logits, labels: losses.cross_entropy(logits, labels, label_smoothing=0.1),
        lambda progress: 1 - progress,
        lambda _, __: size,
        precision="fp32",
        micro_batch=8,
        compiled=compiled,
    )
    chance = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (16, 32, 32, 3), generator=chance, dtype=torch.uint8)
    batch = images.permute(0, 3, 1, 2), torch.eye(4)[torch.arange(16) % 4]
    sums = [learner.step(*batch, step / 3, step) for step in range(3)]
    return sums, learner.weights()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own use of torch.jit
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_step_is_the_plain_one_but_for_rounding() -> None:
    expected, actual = _trained(False, 32), _trained(True, 32)
    torch.testing.assert_close(actual[0], expected[0], rtol=1e-4, atol=0)
    for name, tensor in expected[1].items():
        torch.testing.assert_close(actual[1][name], tensor, rtol=1e-3, atol=1e-4, msg=name)


def test_a_run_keeps_its_compiled_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compiled and when; what a compiler makes of it is the test above."""
    asked: list[dict[str, Any]] = []

    def compile_(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        asked.append(options)
        return function

    monkeypatch.setattr(torch, "compile", compile_)
    monkeypatch.setenv("CXX", shutil.which("true") or "true")
    named = ["--out", str(tmp_path), "--name", "a"]
    assert cli.main([*SMALL, *named]) == 0
    assert asked == []
    assert cli.main([*SMALL, *named[:-1], "b", "--compile"]) == 0
    assert asked == [{"dynamic": False}]
    info = json.loads((tmp_path / "b" / "run.json").read_text())
    assert info["compiled"] is True
    assert json.loads((tmp_path / "a" / "run.json").read_text())["compiled"] is False
    (tmp_path / "b" / "run.json").write_text(json.dumps(info | {"status": "stopped"}))
    assert cli.main(["train", "--resume", str(tmp_path / "b")]) == 0
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (["--budget", "1m"], 2, "does not count the time of --compile"),
        (["--engine", "tensorflow"], 2, "always compiles the step"),
        ([], 4, "needs a C++ compiler"),
    ],
)
def test_where_nothing_can_be_compiled_it_is_said(
    more: list[str],
    code: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    options = SMALL[:-2] if "--budget" in more else SMALL
    assert cli.main([*options, *more, "--compile", "--out", str(tmp_path)]) == code
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
