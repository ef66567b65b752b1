"""Transfer: features computed once, heads that begin well, backbones that stay as they were."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hundredfold.models.transfer import Standard
from safetensors.torch import load_file

from hundredfold import cli, data, run, training
from hundredfold.data import Source
from hundredfold.engines.pytorch import ENGINE, on_features
from hundredfold.engines.pytorch.inference import logits, open_model
from hundredfold.errors import MissingError, UsageError
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.spec import parse
from hundredfold.training import checkpoint, loop

BACKBONE = "wrn(depth=10, width=1)"
OTHER = "shapes(size=20, classes=3, images=40)"
PLAIN = ["--data", OTHER, "--batch-size", "16", "--precision", "fp32", "--threads", "1"]


def transfer(**options: object) -> str:
    inside = "".join(f", {key}={value!r}" for key, value in options.items())
    return f"transfer(backbone={BACKBONE!r}{inside})"


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that has learned four other classes."""
    out = tmp_path_factory.mktemp("taught")
    arguments = ["train", "--data", "shapes(size=20, classes=4, images=60)", "--model", BACKBONE,
                 "--epochs", "2", "--batch-size", "16", "--precision", "fp32", "--threads", "1",
                 "--out", str(out), "--name", "four"]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUNDREDFOLD_CACHE", str(out / "cache"))
        assert cli.main(arguments) == 0
    return out / "four"


@pytest.fixture
def train(taught: Path, tmp_path: Path, progress: training.Progress) -> Callable[..., Run]:
    """Return a function that trains a transfer from that run, with a cache of its own."""

    def go(name: str = "a", **fields: object) -> Run:
        weights = taught / "weights" / "best.safetensors"
        source = replace(Source(), cache=tmp_path / "cache")
        options = training.Options(
            source, threads=1, out=tmp_path / "runs", name=name, weights=weights
        )
        known = {"data": OTHER, "epochs": 3, "batch_size": 16, "precision": "fp32",
                 "validation": 0.25, "model": transfer()}  # fmt: skip
        return training.train(Recipe(**(known | fields)), options, progress, ENGINE)

    return go


def backbone(made: Run) -> dict[str, torch.Tensor]:
    found = load_file(made.best())
    inside = {n.removeprefix("backbone."): t for n, t in found.items() if n.startswith("backbone.")}
    return {n: t for n, t in inside.items() if not n.endswith("num_batches_tracked")}


def test_a_frozen_backbone_stays_to_the_bit_and_its_head_learns_other_classes(
    train: Callable[..., Run], taught: Path
) -> None:
    made = train(epochs=12)
    held = load_file(taught / "weights" / "best.safetensors")
    for name, tensor in backbone(made).items():
        assert torch.equal(tensor, held[name]), name
    assert made.info["data"]["classes"] == list(data.load(OTHER, Source()).classes)
    assert made.scores["validation.top_1"]["value"] > 1 / 3


def test_what_a_network_fitted_to_its_own_images_is_not_fitted_anew(tmp_path: Path) -> None:
    """A speednet's whitening: its directions on other images are others."""
    sizes = ["--batch-size", "16", "--precision", "fp32", "--threads", "1", "--epochs", "1"]
    named = ["train", *sizes, "--out", str(tmp_path), "--name"]
    first = ["--data", "shapes(size=32, classes=4, images=20)", "--model", "speednet(width=0.125)"]
    assert cli.main([*named, "first", *first]) == 0
    on = [
        "--data",
        "shapes(size=32, classes=3, images=20)",
        "--pretrained",
        str(tmp_path / "first"),
    ]
    assert cli.main([*named, "other", *on]) == 0
    held = load_file(tmp_path / "first" / "weights" / "best.safetensors")
    assert "whiten.weight" in held
    for name, tensor in backbone(Run(tmp_path / "other")).items():
        assert torch.equal(tensor, held[name]), name


def test_features_are_standardised_as_float64_does_it_and_constant_ones_only_shifted() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(1300, 5, generator=generator) * torch.tensor([1e-3, 1.0, 50.0, 0.0, 1.0])
    features += torch.tensor([0.01, -3.0, 2e3, 123.4, 0.0])
    standard = Standard(5)
    standard.set(features)
    std, mean = torch.std_mean(features.double(), dim=0, correction=0)
    torch.testing.assert_close(standard.mean, mean.float(), rtol=1e-6, atol=1e-6)
    std[3] = 1.0
    torch.testing.assert_close(standard.std, std.float(), rtol=1e-5, atol=0)
    assert not standard(features)[:, 3].any()


def test_stored_logits_are_those_of_the_images(train: Callable[..., Run]) -> None:
    made = train(model=transfer(start="ridge"))
    model = open_model(made, torch.device("cpu")).network
    found = data.load(made.recipe.data, Source())
    _, split = data.training(found, share=0.25, seed=0)
    again = logits(model, split.pixels, split.indices, device=torch.device("cpu"))
    np.testing.assert_allclose(made.logits("validation"), again, atol=1e-4)


def test_a_second_head_computes_no_features(
    train: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    train("first")

    def refuse(*_: object) -> None:
        raise AssertionError("features were computed again")

    monkeypatch.setattr(on_features, "extract", refuse)
    train("second", seed=1, optimizer="sgd(lr=0.01)")
    train("third", model=transfer(start="logistic"))
    with pytest.raises(AssertionError, match="again"):
        train("fourth", model=transfer(resolution=24))


def test_a_solved_head_begins_better_than_a_drawn_one(train: Callable[..., Run]) -> None:
    still = {"epochs": 1, "optimizer": "sgd(lr=0.0, weight_decay=0.0)"}
    drawn = train("drawn", **still).scores["validation.loss"]["value"]
    for start in ("ridge", "logistic"):
        made = train(start, model=transfer(start=start), **still)
        assert made.scores["validation.loss"]["value"] < drawn
        heads = made.info["heads"]
        assert [name.partition(",")[0] for name in heads] == ["nearest", "ridge", "logistic"]
        [own] = [top_1 for name, top_1 in heads.items() if name.startswith(start)]
        assert made.scores["validation.top_1"]["value"] == pytest.approx(own)


def test_each_view_counts_as_an_image(train: Callable[..., Run]) -> None:
    one, three = train("one"), train("three", model=transfer(views=3), augment="flip | shift")
    assert three.info["steps_per_epoch"] == (3 * 90) // 16
    assert one.info["steps_per_epoch"] == 90 // 16
    assert one.best().read_bytes() != three.best().read_bytes()


@pytest.mark.parametrize(
    "fields",
    [
        {"augment": "flip"},
        {"model": transfer(views=2)},
        {"resolution": "progressive"},
        {"augment": "alternating_flip"},
    ],
)
def test_what_a_frozen_backbone_would_ignore_is_refused(
    train: Callable[..., Run], fields: dict[str, str]
) -> None:
    with pytest.raises(UsageError, match="frozen backbone"):
        train(**fields)


def test_views_that_mix_labels_are_refused(train: Callable[..., Run]) -> None:
    with pytest.raises(UsageError, match="mixes labels"):
        train(model=transfer(views=2), augment="flip | mixup")


def test_fine_tuning_moves_the_backbone_and_not_its_statistics(
    train: Callable[..., Run], taught: Path
) -> None:
    made = train(model=transfer(rate=0.1, decay=0.5, start="logistic"), augment="flip")
    held = load_file(taught / "weights" / "best.safetensors")
    found = backbone(made)
    for name, tensor in found.items():
        kept = "running" in name or name.startswith("scale.")
        assert torch.equal(tensor, held[name]) == kept, name


def test_a_killed_transfer_resumes_to_the_same_end(
    taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [*PLAIN, "--model", transfer(start="logistic", dropout=0.3), "--epochs", "4",
               "--pretrained", str(taught), "--out", str(tmp_path)]  # fmt: skip
    assert cli.main(["train", *options, "--name", "whole"]) == 0
    save = checkpoint.save

    def die(folder: Path, step: int, *rest: object) -> None:
        save(folder, step, *rest)
        raise RuntimeError("a power cut")

    with monkeypatch.context() as patch:
        patch.setattr(loop, "WITHIN_EPOCH", 0.0)
        patch.setattr(checkpoint, "save", die)
        assert cli.main(["train", *options, "--name", "broken"]) == 1
    assert cli.main(["train", "--resume", str(tmp_path / "broken")]) == 0
    one, other = (tmp_path / name / "weights" / "best.safetensors" for name in ("whole", "broken"))
    assert one.read_bytes() == other.read_bytes()


def test_a_run_resumes_with_its_own_weights_only(
    train: Callable[..., Run], tmp_path: Path, taught: Path, progress: training.Progress
) -> None:
    made = train()
    made.save_info(made.info | {"status": "stopped"})
    other = tmp_path / "other.safetensors"
    other.write_bytes((taught / "weights" / "best.safetensors").read_bytes() + b" ")
    with pytest.raises(MissingError, match="not those of the recipe"):
        training.resume(
            made, training.Options(Source(), threads=1, weights=other), progress, ENGINE
        )
    made.save_info(made.info | {"weights": {"file": str(tmp_path / "gone.safetensors")}})
    with pytest.raises(MissingError, match="no weights at"):
        training.resume(made, training.Options(Source(), threads=1), progress, ENGINE)


def test_a_run_alone_says_the_model(taught: Path, tmp_path: Path) -> None:
    arguments = ["train", *PLAIN, "--epochs", "1", "--pretrained", str(taught)]
    assert cli.main([*arguments, "--out", str(tmp_path), "--name", "a"]) == 0
    made = run.open_run("a", tmp_path)
    assert made.recipe.model.startswith(f"transfer(backbone={BACKBONE!r}"[:-2])
    assert cli.main([*arguments, "--out", str(tmp_path), "--name", "b", "--model",
                     "transfer(backbone='wrn(depth=16)')"]) == 4  # fmt: skip


def test_a_recipe_takes_the_network_of_the_run(taught: Path, tmp_path: Path) -> None:
    asked = ["train", "speednet-finetuned", *PLAIN, "--epochs", "2", "--set", "optimizer.lr=0.005",
             "--out", str(tmp_path), "--pretrained", str(taught)]  # fmt: skip
    assert cli.main([*asked, "--name", "a"]) == 0
    made = run.open_run("a", tmp_path)
    told = parse(made.recipe.model).options
    assert parse(str(told["backbone"])).name == parse(BACKBONE).name
    assert (told["rate"], told["start"]) == (1.0, "logistic")
    assert made.recipe.epochs == 2
    assert cli.main([*asked, "--name", "b", "--set", "model.freeze=3"]) == 0
    held = load_file(taught / "weights" / "best.safetensors")
    frozen = backbone(run.open_run("b", tmp_path))
    moved = [n for n, t in frozen.items() if not torch.equal(t, held[n])]
    assert 0 < len(moved) < len(backbone(made)) / 2


def test_the_recipe_for_runs_says_that_it_wants_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "speednet-finetuned", *PLAIN]) == 4
    assert "--pretrained runs/NAME" in capsys.readouterr().err


def test_missing_weights_end_with_code_4_and_how_to_get_them(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", *PLAIN, "--model", "transfer"]) == 4
    said = capsys.readouterr().err
    assert "densenet169-b2777c0a.pth" in said
    assert "--weights PATH" in said
    assert not (elsewhere / "runs").exists()


def test_a_budget_trains_a_head_as_long_as_its_recipe_says(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", *PLAIN, "--pretrained", str(taught), "--set", "epochs=3",
                 "--budget", "60s", "--out", str(tmp_path), "--name", "a"]  # fmt: skip
    assert cli.main(arguments) == 0
    made = run.open_run("a", tmp_path)
    assert (made.recipe.epochs, made.info["epochs"]) == (3, 3)
    assert "budget" not in made.info
    assert "as the recipe says" in capsys.readouterr().out


def test_a_budget_fine_tunes_for_what_features_leave_of_it(taught: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    model = transfer(rate=0.1, start="logistic")
    arguments = ["train", *PLAIN, "--pretrained", str(taught), "--model", model, "--patience", "0",
                 "--budget", "15s", "--out", str(tmp_path), "--name", "a"]  # fmt: skip
    assert cli.main(arguments) == 0
    assert 8 < time.monotonic() - began < 25
    made = run.open_run("a", tmp_path)
    assert made.info["heads"]
    assert made.info["budget"]["seconds"] < 15
    assert made.info["steps"] == made.curve[-1]["step"] > 10


def test_a_budget_that_features_would_take_is_refused_before_they_are_computed(
    taught: Path,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(on_features, "feature_seconds", lambda _job, _cache: 3600.0)
    arguments = ["train", *PLAIN, "--pretrained", str(taught), "--budget", "30m"]
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert "too short for a transfer's features" in said
    assert "--budget 8" in said, "60 minutes are to be three quarters of it"
    assert list(elsewhere.iterdir()) == []


def test_a_dry_run_computes_no_features_to_keep(
    taught: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", *PLAIN, "--pretrained", str(taught), "--dry-run", "--json"]
    assert cli.main(arguments) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["seconds"] > 0
    assert cli.main([*arguments, "--budget", "60s"]) == 0
    assert plan["weights"]["sha256"] in plan["recipe"]["model"]
    assert list(elsewhere.iterdir()) == []
