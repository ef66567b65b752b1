"""Weights fit or are refused; logits come in order."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from hundredfold import cli, models, run
from hundredfold.engines.pytorch import inference
from hundredfold.errors import DataError, MissingError
from hundredfold.inference import load_weights
from hundredfold.recipe import Recipe
from hundredfold.run import Run

CPU = torch.device("cpu")


def _model() -> nn.Module:
    return models.build("simple_cnn(dropout=0.5)", classes=3, size=18, seed=0)


def _pixels(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 18, 18, 3), dtype=np.uint8)


def test_logits_come_in_the_order_of_the_indices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "BATCH", 4)
    model, pixels = _model(), _pixels(11)
    indices = np.array([7, 0, 10, 3, 3, 1, 9, 2, 5])
    found = inference.logits(model, pixels, indices, device=CPU)
    model.eval()
    with torch.no_grad():
        one_by_one = [model(torch.from_numpy(pixels[[i]]).permute(0, 3, 1, 2)) for i in indices]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, torch.cat(one_by_one).numpy(), atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_logits_leave_the_model_in_the_mode_it_was_in(training: bool) -> None:
    model = _model().train(training)
    once, again = (inference.logits(model, _pixels(3), np.arange(3), device=CPU) for _ in "12")
    assert model.training is training
    np.testing.assert_array_equal(once, again, "dropout would make these differ")


def test_weights_that_fit_are_taken_bit_for_bit() -> None:
    given = {name: torch.rand_like(t) for name, t in _model().state_dict().items()}
    model = _model()
    load_weights(model, given, "memory")
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, given[name])


def test_weights_that_do_not_fit_are_refused_by_name() -> None:
    model = _model()
    fitting = dict(model.state_dict())
    missing = {name: t for name, t in fitting.items() if name != "conv2.bias"}
    cases = {
        "conv2.bias: none there, (64,) here": missing,
        "extra: (2,) there, none here": fitting | {"extra": torch.zeros(2)},
        "dense2.bias: (4,) there, (3,) here": fitting | {"dense2.bias": torch.zeros(4)},
    }
    for words, tensors in cases.items():
        with pytest.raises(DataError) as caught:
            load_weights(model, tensors, "a file")
        assert caught.value.found == words
        assert "'a file'" in caught.value.message
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, fitting[name]), "a refused file changes nothing"


def _run(out: Path) -> run.Run:
    made = run.create(out, "a", Recipe())
    made.save_info({"status": "running", "data": {"classes": ["a", "b"]}})
    return made


def test_a_run_without_weights_is_missing_them(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = _run(elsewhere / "runs")
    with pytest.raises(MissingError, match="no weights yet"):
        inference.open_model(made, CPU)
    (elsewhere / "photo.png").touch()
    assert cli.main(["predict", "a", "photo.png"]) == 4
    assert "--resume" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"not weights at all", bytes(100)])
def test_a_file_that_holds_no_weights_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    made = _run(tmp_path)
    made.best().write_bytes(content)
    with pytest.raises(DataError, match="cannot read"):
        inference.open_model(made, CPU)


def test_weights_that_name_no_classes_are_refused(tmp_path: Path) -> None:
    made = _run(tmp_path)
    save_file({"w": torch.zeros(1)}, made.best())
    with pytest.raises(DataError, match="which classes"):
        inference.open_model(made, CPU)


def _changed_weights(
    made: Run, change: Callable[[dict[str, torch.Tensor], dict[str, str]], None]
) -> None:
    with safe_open(made.best(), "pt") as file:
        metadata = dict(file.metadata())
    tensors = load_file(made.best())
    change(tensors, metadata)
    save_file(tensors, made.best(), metadata)


def test_finite_weights_that_overflow_give_no_prediction_and_no_score(
    small_run: Callable[..., Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = small_run()

    def overflow(tensors: dict[str, torch.Tensor], _: object) -> None:
        for name in [name for name in tensors if name.endswith("weight")]:
            tensors[name] = torch.full_like(tensors[name], 3e38)

    _changed_weights(made, overflow)
    before = sorted(path.name for path in made.folder.glob("*.npy"))
    Image.fromarray(_pixels(1)[0]).save(tmp_path / "photo.png")
    for verb in (["predict", str(made.folder), str(tmp_path / "photo.png")],
                 ["predict", str(made.folder), str(tmp_path / "photo.png"), "--json"],
                 ["evaluate", str(made.folder), "--split", "test"]):  # fmt: skip
        assert cli.main([*verb, "--threads", "1"]) == 3
        text = "".join(capsys.readouterr())
        assert "numbers that are not finite" in text
        assert "nan" not in text.lower()
    assert sorted(path.name for path in made.folder.glob("*.npy")) == before


@pytest.mark.parametrize("change", ["renamed", "swapped", "one more in run.json"])
def test_classes_of_the_weights_are_those_of_the_record(
    small_run: Callable[..., Run], tmp_path: Path, change: str
) -> None:
    made = small_run()

    def rename(_: object, metadata: dict[str, str]) -> None:
        names = json.loads(metadata["classes"])
        names = ["other", *names[1:]] if change == "renamed" else [*names[1:], names[0]]
        metadata["classes"] = json.dumps(names)

    if change == "one more in run.json":
        info = made.info
        data = info["data"] | {"classes": [*info["data"]["classes"], "more"], "superclass_of": []}
        made.save_info(info | {"data": data})
    else:
        _changed_weights(made, rename)
    with pytest.raises(DataError, match=r"are not those in run\.json") as caught:
        inference.open_model(made, CPU)
    assert caught.value.found


def test_weights_that_are_a_link_are_not_read(
    small_run: Callable[..., Run], tmp_path: Path
) -> None:
    made = small_run()
    shutil.move(made.folder / "weights", tmp_path / "weights")
    (made.folder / "weights").symlink_to(tmp_path / "weights")
    with pytest.raises(DataError, match="is a link"):
        inference.open_model(made, CPU)
