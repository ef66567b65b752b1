"""Transfer: features computed once, fitted heads, frozen backbones."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from hundredfold import cli, data, run
from hundredfold.data import Source
from hundredfold.engines.pytorch import on_features
from hundredfold.engines.pytorch.inference import logits, open_model
from hundredfold.engines.pytorch.transfer import Standardise
from hundredfold.errors import UsageError
from hundredfold.run import Run
from hundredfold.training import checkpoint, loop, saves

BACKBONE = "wrn(depth=10, width=1)"
OTHER = "shapes(size=20, classes=3, images=40)"
PLAIN = ["--data", OTHER, "--batch-size", "16", "--precision", "fp32", "--threads", "1"]


def test_a_frozen_backbone_stays_to_the_bit_and_its_head_learns_other_classes(
    train: Callable[..., Run], taught: Path, backbone
) -> None:
    trained_run = train(epochs=12)
    held = load_file(taught / "weights" / "best.safetensors")
    for name, tensor in backbone(trained_run).items():
        assert torch.equal(tensor, held[name]), name
    assert trained_run.info["data"]["classes"] == list(data.load(OTHER, Source()).classes)
    assert trained_run.scores["validation.top_1"]["value"] > 1 / 3


def test_features_are_standardised_as_float64_does_it_and_constant_ones_only_shifted() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(1300, 5, generator=generator) * torch.tensor([1e-3, 1.0, 50.0, 0.0, 1.0])
    features += torch.tensor([0.01, -3.0, 2e3, 123.4, 0.0])
    standard = Standardise(5)
    standard.set(features)
    std, mean = torch.std_mean(features.double(), dim=0, correction=0)
    torch.testing.assert_close(standard.mean, mean.float(), rtol=1e-6, atol=1e-6)
    std[3] = 1.0
    torch.testing.assert_close(standard.std, std.float(), rtol=1e-5, atol=0)
    assert not standard(features)[:, 3].any()


def test_stored_logits_are_those_of_the_images(train: Callable[..., Run]) -> None:
    trained_run = train(strategy="linear_probe(head='ridge')")
    model = open_model(trained_run, torch.device("cpu")).network
    dataset = data.load(trained_run.recipe.data, Source())
    _, split = data.training(dataset, share=0.25, seed=0)
    again = logits(model, split.pixels, split.indices, device=torch.device("cpu"))
    np.testing.assert_allclose(trained_run.logits("validation"), again, atol=1e-4)


def test_a_second_head_reuses_the_features(
    train: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    train("first")

    def refuse(*_: object) -> None:
        raise AssertionError("features were computed again")

    monkeypatch.setattr(on_features, "extract", refuse)
    train("second", seed=1, optimizer="sgd(lr=0.01)")
    train("third", strategy="linear_probe(head='logistic')")
    with pytest.raises(AssertionError, match="again"):
        train("fourth", strategy="linear_probe(input_size=24)")


def test_a_fitted_head_starts_better_than_a_random_one(train: Callable[..., Run]) -> None:
    still = {"epochs": 1, "optimizer": "sgd(lr=0.0, weight_decay=0.0)"}
    drawn = train("drawn", **still).scores["validation.loss"]["value"]
    for start in ("ridge", "logistic"):
        trained_run = train(start, strategy=f"linear_probe(head='{start}')", **still)
        assert trained_run.scores["validation.loss"]["value"] < drawn
        probes = trained_run.info["probes"]
        assert [name.partition(",")[0] for name in probes] == ["k-NN", "ridge", "logistic"]
        [own] = [top_1 for name, top_1 in probes.items() if name.startswith(start)]
        assert trained_run.scores["validation.top_1"]["value"] == pytest.approx(own)


def test_each_view_counts_as_an_image(train: Callable[..., Run]) -> None:
    one, three = (
        train("one"),
        train("three", strategy="linear_probe(views=3)", augment="flip | shift"),
    )
    assert three.info["steps_per_epoch"] == (3 * 90) // 16
    assert one.info["steps_per_epoch"] == 90 // 16
    assert one.best().read_bytes() != three.best().read_bytes()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"augment": "flip"}, "views = 1 and augment = 'flip"),
        ({"strategy": "linear_probe(views=2)"}, "views = 2 and augment = ''"),
        ({"resolution": "progressive"}, "a frozen network has one resolution"),
        ({"augment": "alternating_flip"}, "views = 1 and augment = 'alternating_flip"),
        (
            {"strategy": "linear_probe(head='ridge')", "validation": 0.0, "select": "last"},
            "by validation",
        ),
    ],
)
def test_what_a_frozen_network_would_ignore_is_refused(
    train: Callable[..., Run], fields: dict[str, object], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        train(**fields)


def test_views_that_mix_labels_are_refused(train: Callable[..., Run]) -> None:
    with pytest.raises(UsageError, match="mixes labels"):
        train(strategy="linear_probe(views=2)", augment="flip | mixup")


def test_fine_tuning_moves_the_backbone_and_not_its_statistics(
    train: Callable[..., Run], taught: Path, backbone
) -> None:
    trained_run = train(
        strategy="fine_tune(rate=0.1, layer_decay=0.5, head='logistic')", augment="flip"
    )
    held = load_file(taught / "weights" / "best.safetensors")
    actual = backbone(trained_run)
    for name, tensor in actual.items():
        kept = "running" in name or name.startswith("scale.")
        assert torch.equal(tensor, held[name]) == kept, name


def test_a_killed_transfer_resumes_to_the_same_end(
    taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [*PLAIN, "--strategy", "linear_probe(head='logistic', dropout=0.3)", "--epochs", "4",
               "--weights", str(taught), "--out", str(tmp_path)]  # fmt: skip
    assert cli.main(["train", *options, "--name", "whole"]) == 0
    save = checkpoint.save

    def die(folder: Path, step: int, *rest: object) -> None:
        save(folder, step, *rest)
        raise RuntimeError("a power cut")

    with monkeypatch.context() as patch:
        patch.setattr(loop, "WITHIN_EPOCH", 0.0)
        patch.setattr(saves, "SHARE_OF_TIME", math.inf)
        patch.setattr(checkpoint, "save", die)
        assert cli.main(["train", *options, "--name", "broken"]) == 1
    assert cli.main(["train", "--resume", str(tmp_path / "broken")]) == 0
    one, other = (tmp_path / name / "weights" / "best.safetensors" for name in ("whole", "broken"))
    assert one.read_bytes() == other.read_bytes()


def _recipe(folder: Path, weights: Path, strategy: str) -> str:
    """Write a recipe of a transfer from a run, and return its path."""
    path = folder / "transfer.toml"
    fields = {"model": BACKBONE, "weights": str(weights), "strategy": strategy}
    lines = [f"{field} = {json.dumps(value)}" for field, value in fields.items()]
    path.write_text("\n".join([*lines, "epochs = 3"]), encoding="utf-8")
    return str(path)


def test_a_budget_trains_a_head_as_long_as_its_recipe_says(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = _recipe(tmp_path, taught, "linear_probe")
    arguments = ["train", recipe, *PLAIN, "--budget", "60s", "--out", str(tmp_path), "--name", "a"]
    assert cli.main(arguments) == 0
    trained_run = run.open_run("a", tmp_path)
    assert (trained_run.recipe.epochs, trained_run.info["epochs"]) == (3, 3)
    assert "budget" not in trained_run.info
    assert "as the recipe says" in capsys.readouterr().out


def test_a_budget_fine_tunes_for_what_features_leave_of_it(taught: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    recipe = _recipe(tmp_path, taught, "fine_tune(rate=0.1, head='logistic')")
    arguments = ["train", recipe, *PLAIN, "--patience", "0", "--budget", "15s",
                 "--out", str(tmp_path), "--name", "a"]  # fmt: skip
    assert cli.main(arguments) == 0
    assert 8 < time.monotonic() - began < 25
    trained_run = run.open_run("a", tmp_path)
    assert trained_run.info["probes"]
    assert trained_run.info["budget"]["seconds"] < 15
    assert trained_run.info["steps"] == trained_run.curve[-1]["step"] > 10


def test_a_budget_that_features_would_take_is_refused_before_they_are_computed(
    taught: Path,
    elsewhere: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(on_features, "feature_seconds", lambda _job, _cache: 3600.0)
    recipe = _recipe(tmp_path_factory.mktemp("recipe"), taught, "linear_probe")
    arguments = ["train", recipe, *PLAIN, "--budget", "30m"]
    assert cli.main(arguments) == 2
    output = capsys.readouterr().err
    assert "too short for a transfer's features" in output
    assert "--budget 8" in output, "60 minutes are to be three quarters of it"
    assert list(elsewhere.iterdir()) == []


def test_a_dry_run_computes_no_features_to_keep(
    taught: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", *PLAIN, "--weights", str(taught), "--dry-run", "--json"]
    assert cli.main(arguments) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["seconds"] > 0
    assert cli.main([*arguments, "--budget", "60s"]) == 0
    assert plan["weights"]["sha256"] in plan["recipe"]["weights"]
    assert list(elsewhere.iterdir()) == []
