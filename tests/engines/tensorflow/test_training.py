"""Runs of the second engine are runs: the same files, scores, resuming and refusals."""

import hashlib
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from hundredfold import cli, data
from hundredfold.data import Source
from hundredfold.engines.pytorch import inference
from hundredfold.errors import UsageError
from hundredfold.run import Run

tf = pytest.importorskip("tensorflow", reason="the extra 'tensorflow' is not installed")

import keras  # noqa: E402

from hundredfold.engines.tensorflow import opening  # noqa: E402
from hundredfold.training import Progress  # noqa: E402

# Keras 3.15 itself turns its variables into arrays in a way that NumPy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

Train = Callable[..., Run]
BEGUN = ["--model", "keras_application(name='vgg16')", "--weights", "imagenet"]
CPU = torch.device("cpu")


def _validation(run: Run) -> data.Split:
    dataset = data.load(run.recipe.data, Source())
    return data.training(dataset, share=run.recipe.validation, seed=run.recipe.seed)[1]


def test_it_learns_to_read_digits(train: Train) -> None:
    options = ("--engine", "tensorflow", "--optimizer", "adam(lr=0.003)")
    run = train("a", *options, data="digits", epochs=4, batch=64)
    assert run.scores["validation.top_1"]["value"] > 0.9
    losses = [row["train.loss"] for row in run.curve]
    assert losses[-1] < losses[0] / 3


@pytest.mark.parametrize("model", ["simple_cnn", "resnet(depth=20)"])
def test_pytorch_reads_what_tensorflow_trained_and_the_other_way(train: Train, model: str) -> None:
    runs = [train(name, "--engine", name, "--model", model) for name in ("tensorflow", "pytorch")]
    for run in runs:
        split = _validation(run)
        opened = inference.open_model(run, CPU), opening.open_model(run)
        stored = run.logits("validation")
        for actual in (one.logits(split.pixels, split.indices) for one in opened):
            np.testing.assert_allclose(actual, stored, atol=1e-4)
    files = [{path.relative_to(run.folder) for path in run.folder.rglob("*")} for run in runs]
    assert not {path for path in files[0] ^ files[1] if path.parent.name != "state"}
    assert runs[0].info.keys() == runs[1].info.keys()
    versions = runs[0].info["versions"]
    assert versions["tensorflow"] == tf.__version__
    assert versions["keras"] == keras.__version__
    assert [row.keys() for row in runs[0].curve] == [row.keys() for row in runs[1].curve]


def test_rectangles_are_the_same_for_both_engines(train: Train) -> None:
    size = ("--set", "data.size=20x28", "--augment", "flip | shift | zoom | rotate")
    run = train("wide", "--engine", "tensorflow", *size, data="digits", epochs=1, batch=64)
    assert run.info["data"]["size"] == "20x28"
    split = _validation(run)
    assert split.pixels.shape[1:3] == (20, 28)
    for opened in (inference.open_model(run, CPU), opening.open_model(run)):
        actual = opened.logits(split.pixels, split.indices)
        np.testing.assert_allclose(actual, run.logits("validation"), atol=1e-4)


def test_the_best_weights_are_restored_and_patience_ends_training(train: Train) -> None:
    options = ("--engine", "tensorflow", "--patience", "2", "--optimizer", "adam(lr=0.03)")
    run = train("a", *options, epochs=40)
    losses = [row["validation.loss"] for row in run.curve]
    best = int(np.argmin(losses))
    assert run.info["best_epoch"] == best + 1
    assert len(losses) == min(best + 3, 40) < 40
    assert np.isclose(run.scores["validation.loss"]["value"], losses[best], atol=1e-4)


def test_a_stopped_run_goes_on_to_the_same_bits(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--engine", "tensorflow", "--model", "simple_cnn(dropout=0.3)",
               "--augment", "flip | shift", "--schedule", "cosine")  # fmt: skip
    whole = train("whole", *options)
    steps = iter(range(100))

    def stop(self: Progress, status: object) -> None:
        if next(steps) == 6:  # in the second of two epochs of four steps
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "step", stop)
        with pytest.raises(AssertionError):
            train("stopped", *options)
    stopped = Run(tmp_path / "stopped")
    assert stopped.info["status"] == "stopped"
    assert cli.main(["train", "--resume", str(stopped.folder)]) == 0
    assert stopped.info["status"] == "done"
    former, again = (load_file(run.last()) for run in (whole, stopped))
    assert all(torch.equal(former[name], again[name]) for name in former)
    losses = [[row["train.loss"] for row in run.curve] for run in (whole, stopped)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--augment", "flip | cutout"], "the TensorFlow engine has no augmentation 'cutout'"),
        (["--optimizer", "sgd"], "the TensorFlow engine has no optimizer 'sgd'"),
        (["--resolution", "progressive"], "the TensorFlow engine does not take resolution"),
        (["--loss", "cross_entropy(label_smoothing=0.1)"], "does not take loss"),
        (["--set", "ema=0.9"], "does not take ema"),
        (["--balance", "weights"], "does not take balance"),
        (["--balance", "sample"], "does not take balance"),
        (["--model", "wrn(depth=16)"], "the TensorFlow engine has no model 'wrn'"),
        ([*BEGUN, "--strategy", "fine_tune(rate=0.1)"], "does not take strategy"),
        ([*BEGUN, "--strategy", "fine_tune(rate=1.0, freeze=1)"], "does not take strategy"),
        ([*BEGUN, "--strategy", "fine_tune(rate=1.0, layer_decay=0.5)"], "not take strategy"),
        ([*BEGUN, "--strategy", "linear_probe(cut=2)"], "does not take strategy"),
        ([*BEGUN, "--strategy", "linear_probe(head='ridge')"], "does not take strategy"),
        (["--model", "simple_cnn", "--weights", "imagenet"], "does not take strategy"),
        (["--device", "cuda:7"], "TensorFlow has no device 'cuda:7'"),
        (["--augment", "flip(probability=0.2)"], "Keras mirrors half of the images"),
    ],
)
def test_what_it_cannot_do_is_refused_before_anything_is_written(
    options: list[str], sentence: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", "--engine", "tensorflow", "--threads", "1", *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert sentence in error.splitlines()[0]
    assert not list(elsewhere.iterdir())


def test_a_frozen_network_trains_its_head_on_features_and_is_evaluated_whole(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keras.utils.set_random_seed(1)
    source = keras.applications.VGG16(include_top=False, weights=None)
    file = tmp_path / "notop.weights.h5"
    source.save_weights(file)
    begun = ["--engine", "tensorflow", *BEGUN[:2], "--weights", str(file)]
    run = train("frozen", *begun, "--strategy", "linear_probe(input_size=32)")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    assert run.recipe.weights == f"notop.weights.h5@{digest}"
    assert run.info["weights"]["sha256"] == digest
    assert "features   computed once" in (run.folder / "log.txt").read_text()
    kept = load_file(run.best())["block1_conv1.weight"].numpy()
    first = source.get_layer("block1_conv1").kernel.value.numpy().transpose(3, 2, 0, 1)
    np.testing.assert_array_equal(kept, first)
    split = _validation(run)
    actual = opening.open_model(run).logits(split.pixels, split.indices)
    np.testing.assert_allclose(actual, run.logits("validation"), atol=1e-4)
    assert cli.main(["evaluate", str(run.folder), "--split", "validation", "--threads", "1"]) == 0
    picture = tmp_path / "picture.png"
    Image.fromarray(split.pixels[0]).save(picture)
    capsys.readouterr()
    assert cli.main(["predict", str(run.folder), str(picture), "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["predictions"]
    assert one["label"] in run.info["data"]["classes"]
    with pytest.raises(UsageError, match="which PyTorch cannot compute"):
        inference.open_model(run, CPU)


def test_fine_tuning_moves_the_network_that_weights_began(train: Train, tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    source = keras.applications.VGG16(include_top=False, weights=None)
    file = tmp_path / "notop.weights.h5"
    source.save_weights(file)
    begun = ["--engine", "tensorflow", *BEGUN[:2], "--weights", str(file),
             "--optimizer", "adam(lr=0.00001)"]  # fmt: skip
    run = train("tuned", *begun, "--strategy", "fine_tune(rate=1.0, input_size=32)", epochs=1)
    kept = load_file(run.best())["block1_conv1.weight"].numpy()
    first = source.get_layer("block1_conv1").kernel.value.numpy().transpose(3, 2, 0, 1)
    assert 0 < np.abs(kept - first).max() < 1e-3, "a few steps of about 0.00001 each"


def test_a_dry_run_estimates_and_writes_nothing(elsewhere: Path) -> None:
    options = ["--data", "shapes(size=18, classes=4, images=24)", "--batch-size", "16"]
    assert cli.main(["train", "--engine", "tensorflow", "--dry-run", *options]) == 0
    assert not list(elsewhere.iterdir())
