"""What a training leaves, refuses and says."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import log_loss

from hundredfold import cli, data, training
from hundredfold.compute import device
from hundredfold.data import Source
from hundredfold.engines.pytorch import ENGINE, PyTorch
from hundredfold.engines.pytorch.inference import open_model
from hundredfold.engines.pytorch.job import Job
from hundredfold.errors import CheckError, DataError, MissingError, UsageError
from hundredfold.recipe import Recipe
from hundredfold.run import Run, open_run
from hundredfold.weights.locate import WeightsFile

Train = Callable[..., Run]
Tasks = list[dict[str, Any]]
CarryOut = Callable[[Tasks], list[list[int]]]
SMALL = ["--data", "shapes(size=18, classes=4, images=24)", "--batch-size", "16",
         "--precision", "fp32", "--threads", "1", "--epochs", "2"]  # fmt: skip


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _with(run: Run, **info: object) -> None:
    run.save_info(run.info | info)


def test_the_folder_holds_what_the_design_says(small_run: Train) -> None:
    run = small_run()
    for name in ("recipe.toml", "run.json", "model.json", "curve.jsonl", "log.txt", "scores.json",
                 "weights/best.safetensors", "weights/last.safetensors"):  # fmt: skip
        assert (run.folder / name).is_file(), name
    info = run.info
    assert info["status"] == "done"
    assert info["test_evaluations"] == 0
    assert info["data"]["train"] + info["data"]["validation"] == 4 * 24
    assert open_run("latest", run.folder.parent).name == run.name
    rows = run.curve
    assert [row["epoch"] for row in rows] == [1, 2]
    steps = info["data"]["train"] // 16
    assert [row["step"] for row in rows] == [steps, 2 * steps]
    assert all(0 <= row["train.top_1"] <= 1 for row in rows)
    assert "the test split stays closed" in (run.folder / "log.txt").read_text()


def test_the_same_recipe_gives_the_same_bytes_and_another_seed_others(small_run: Train) -> None:
    one, same, other = small_run("a"), small_run("b"), small_run("c", seed=1)
    assert one.best().read_bytes() == same.best().read_bytes()
    tensors = [load_file(run.best()) for run in (one, other)]
    assert not torch.equal(tensors[0]["conv1.weight"], tensors[1]["conv1.weight"])


def test_training_stops_after_patience_epochs_without_a_better_one(small_run: Train) -> None:
    """A rate of nothing learns nothing: the first epoch stays the best."""
    run = small_run(epochs=20, patience=3, optimizer="sgd(lr=0.0, weight_decay=0.0)")
    assert len(run.curve) == 4
    assert run.info["best_epoch"] == 1
    assert run.info["epochs"] == 4
    assert "no better validation.loss in 3 epochs" in run.info["reason"]


def test_the_weights_kept_are_those_of_the_best_epoch(small_run: Train) -> None:
    run = small_run(epochs=8, patience=0, optimizer="adam(lr=0.02)", limit=32)
    losses = [row["validation.loss"] for row in run.curve]
    assert run.info["best_epoch"] == 1 + int(np.argmin(losses))
    logits, labels = run.logits("validation"), run.labels("validation")
    assert logits is not None
    assert labels is not None
    shares = torch.from_numpy(logits).double().softmax(1).numpy()
    assert log_loss(labels, shares, labels=range(4)) == pytest.approx(min(losses), rel=1e-4)


def test_averaged_weights_do_not_begin_at_the_random_start(small_run: Train) -> None:
    """With a plain mean, 0.9 ** steps of the weights would still be the random ones."""
    fields = {"epochs": 10, "optimizer": "adam(lr=0.003)", "select": "last"}
    plain = small_run("plain", **fields)
    averaged = small_run("averaged", ema=0.9999, **fields)
    key = "validation.loss"
    assert averaged.scores[key]["value"] < plain.curve[0][key]
    assert averaged.scores[key]["value"] < plain.scores[key]["value"] + 0.3


def test_the_averaged_weights_are_what_is_scored_and_kept(small_run: Train) -> None:
    run = small_run(ema=0.5, epochs=3, select="last")
    best, last = load_file(run.best()), load_file(run.last())
    for name, tensor in best.items():
        assert torch.equal(tensor, last[name])
    plain = load_file(small_run("plain", epochs=3, select="last").best())
    assert not torch.equal(plain["conv1.weight"], best["conv1.weight"])


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_best(
    small_run: Train, tmp_path: Path
) -> None:
    """The rate explodes at half the run: epoch 1 is good, epoch 2 is not finite."""
    with pytest.raises(CheckError, match="not finite in epoch 2") as caught:
        small_run(schedule="steps(at=(0.5,), factor=1e6)", optimizer="sgd(lr=0.01)")
    assert "optimizer.lr" in str(caught.value)
    run = Run(tmp_path / "runs" / "a")
    assert run.info["status"] == "failed"
    assert "not finite" in run.info["reason"]
    assert len(run.curve) == 1
    weights = load_file(run.best())
    assert all(tensor.isfinite().all() for tensor in weights.values())
    assert not run.last().exists() or all(
        t.isfinite().all() for t in load_file(run.last()).values()
    )


@pytest.mark.parametrize("optimizer", ["sgd(lr=1e5)", "sgd(lr=1e6)"])
def test_a_rate_that_is_far_too_high_is_exit_5_on_the_command_line(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], optimizer: str
) -> None:
    assert cli.main(["train", *SMALL, "--optimizer", optimizer, "--name", "a"]) == 5
    assert "not finite" in capsys.readouterr().err
    assert not Run(elsewhere / "runs" / "a").best().exists()


@pytest.mark.parametrize(
    "wrong",
    [
        ("--optimizer", "sgd(lr=-1.0)"),
        ("--optimizer", "sgd(momentum=0.0)"),
        ("--optimizer", "adam(beta1=1.5)"),
        ("--schedule", "cosine(warmup=1.0)"),
        ("--loss", "cross_entropy(label_smoothing=1.5)"),
        ("--loss", "cross_entropy(label_smoothing=1)"),
        ("--loss", "cross_entropy(label_smoothing=-0.1)"),
        ("--batch-size", "1000"),
        ("--model", "simple_cnn(dropout=2.0)"),
    ],
    ids=lambda pair: " ".join(pair),
)
def test_an_impossible_recipe_is_refused_before_anything_is_written(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], wrong: tuple[str, str]
) -> None:
    assert cli.main(["train", *SMALL, *wrong]) == 2
    assert "internal error" not in capsys.readouterr().err
    assert not (elsewhere / "runs").exists()


def test_a_name_that_is_taken_is_refused(small_run: Train) -> None:
    run = small_run()
    before = _contents(run.folder)
    with pytest.raises(UsageError, match="exists"):
        small_run(seed=1)
    assert _contents(run.folder) == before


def test_a_finished_run_is_not_resumed(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", *SMALL, "--name", "a"]) == 0
    before = _contents(elsewhere / "runs" / "a")
    assert cli.main(["train", "--resume", "a"]) == 2
    assert "is finished" in capsys.readouterr().err
    assert _contents(elsewhere / "runs" / "a") == before


def test_resume_takes_no_changes_to_the_recipe(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", *SMALL, "--name", "a"]) == 0
    assert cli.main(["train", "--resume", "a", "--epochs", "9"]) == 2
    assert "own recipe" in capsys.readouterr().err
    assert len(Run(elsewhere / "runs" / "a").curve) == 2


def test_a_second_writer_is_refused(small_run: Train, progress: training.Progress) -> None:
    run = small_run()
    _with(run, status="stopped")
    before = _contents(run.folder)
    with run.writer(), pytest.raises(UsageError, match="another process"):
        training.resume(run, training.Options(Source()), progress, ENGINE)
    assert _contents(run.folder) == before


def test_other_data_are_refused_and_nothing_is_changed(
    small_run: Train, progress: training.Progress
) -> None:
    run = small_run()
    info = run.info
    _with(run, status="stopped", data=info["data"] | {"digest": "0" * 64})
    before = _contents(run.folder)
    with pytest.raises(DataError, match="not those") as caught:
        training.resume(run, training.Options(Source()), progress, ENGINE)
    assert caught.value.exit_code == 3
    assert _contents(run.folder) == before


def test_resume_looks_for_the_data_where_they_lay(
    tmp_path: Path,
    small_run: Train,
    progress: training.Progress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(data, "refuse_folder", lambda *_: None)  # shapes reads none
    run = small_run()
    _with(run, status="stopped", data=run.info["data"] | {"folder": str(tmp_path)}, threads=1)
    seen: list[tuple[Path | None, int]] = []

    class Watched(PyTorch):
        def prepare(
            self,
            recipe: Recipe,
            options: training.Options,
            progress: training.Progress | None,
            weights: WeightsFile | None = None,
            before: Mapping[str, Any] | None = None,
        ) -> Job:
            seen.append((options.source.folder, options.threads))
            return super().prepare(recipe, options, progress, weights, before)

    training.resume(run, training.Options(Source()), progress, Watched())
    _with(run, status="stopped")
    training.resume(run, training.Options(Source(folder=run.folder)), progress, Watched())
    assert seen == [(tmp_path, 1), (run.folder, 1)]


def test_a_run_that_began_with_other_weights_is_not_resumed(
    tmp_path: Path, small_run: Train, progress: training.Progress
) -> None:
    run = small_run()
    former = WeightsFile(tmp_path / "a.safetensors", "0" * 16, "torchvision")
    _with(run, status="stopped", weights=former.to_json())
    before = _contents(run.folder)

    class Other(PyTorch):
        def resolve_weights(
            self, recipe: Recipe, _source: Source, _path: Path | None
        ) -> tuple[Recipe, WeightsFile]:
            return recipe, replace(former, digest="1" * 16)

    with pytest.raises(MissingError, match="not those that the run began with"):
        training.resume(run, training.Options(Source()), progress, Other())
    assert _contents(run.folder) == before


def test_a_kill_before_the_first_save_starts_over(
    small_run: Train, progress: training.Progress
) -> None:
    killed, whole = small_run("killed"), small_run("whole")
    for path in (killed.folder / "state").iterdir():
        path.unlink()
    _with(killed, status="running")
    training.resume(killed, training.Options(Source(), threads=1), progress, ENGINE)
    rows = [[row | {"seconds": 0} for row in one.curve] for one in (killed, whole)]
    assert rows[0] == rows[1]
    assert killed.best().read_bytes() == whole.best().read_bytes()


def test_resume_removes_scores_of_former_weights(
    small_run: Train, progress: training.Progress
) -> None:
    run = small_run()
    run.save_logits("test", *[np.zeros((1, 4), np.float32), np.zeros(1, int), np.zeros(1, int)])
    run.replace_scores("test", {"test.top_1": {"value": 0.5}})
    _with(run, status="stopped")
    training.resume(run, training.Options(Source(), threads=1), progress, ENGINE)
    assert run.logits("test") is None
    assert "test.top_1" not in run.scores
    assert "validation.top_1" in run.scores


def test_resume_removes_the_temporary_files_of_a_killed_writer(
    small_run: Train, progress: training.Progress
) -> None:
    run = small_run()
    left = [run.folder / "state" / ".1.json.x.part", run.folder / "weights" / ".b.y.part"]
    for path in left:
        path.touch()
    _with(run, status="running")
    training.resume(run, training.Options(Source(), threads=1), progress, ENGINE)
    assert not any(path.exists() for path in left)


def test_a_dry_run_writes_nothing_and_counts_exactly(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", *SMALL, "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert list(elsewhere.iterdir()) == []
    images = plan["data"]["train"]
    assert images + plan["data"]["validation"] == 96
    assert plan["steps"] == 2 * (images // 16)
    dense = 64 * 64 + 64 + 64 * 4 + 4  # at 18 pixels one place is left of the third convolution
    convolutions = (27 + 1) * 32 + (288 + 1) * 64 + (576 + 1) * 64
    assert plan["parameters"] == convolutions + dense
    assert 0 < plan["seconds"] < 60
    assert plan["images_per_second"] > 10


@pytest.mark.parametrize("chosen", ["fp32", "bf16"])
def test_a_run_says_its_precision_and_its_device(small_run: Train, chosen: str) -> None:
    run = small_run(precision=chosen, epochs=1)
    assert run.info["precision"] == chosen
    assert f"{chosen}, as the recipe says" in (run.folder / "log.txt").read_text()
    logits = run.logits("validation")
    assert logits is not None
    assert np.isfinite(logits).all()


def test_a_device_that_is_not_there_is_one_sentence() -> None:
    for name in ("cuda:99", "abacus"):
        with pytest.raises(UsageError, match="there is no device"):
            device.choose(name)
    with pytest.raises(UsageError, match="threads is a number"):
        device.use_threads(-1)


def test_a_resolution_that_the_model_does_not_take_is_refused(small_run: Train) -> None:
    with pytest.raises(UsageError, match="does not take"):
        small_run(resolution="progressive")


def test_the_scaling_is_fitted_on_the_training_images(small_run: Train) -> None:
    run = small_run(epochs=1)
    dataset = data.load(run.recipe.data, Source())
    split, _ = data.training(dataset, share=0.25, seed=0)
    pixels = split.pixels[split.indices].reshape(-1, 3).astype(float)
    weights = load_file(run.best())
    np.testing.assert_allclose(weights["scale.mean"].flatten(), pixels.mean(0), rtol=1e-5)
    np.testing.assert_allclose(weights["scale.std"].flatten(), pixels.std(0), rtol=1e-4)


def test_stored_validation_logits_are_those_of_the_stored_weights(small_run: Train) -> None:
    run = small_run()
    model = open_model(run, torch.device("cpu")).network
    dataset = data.load(run.recipe.data, Source())
    _, split = data.training(dataset, share=0.25, seed=0)
    images = torch.from_numpy(split.pixels[split.indices].copy()).permute(0, 3, 1, 2)
    with torch.no_grad():
        again = model(images)
    np.testing.assert_allclose(run.logits("validation"), again, atol=1e-4)
