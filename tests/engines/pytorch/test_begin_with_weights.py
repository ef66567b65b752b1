"""Which weights a run begins with: a run's, published ones, or none; and what it says of them."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from hundredfold import cli, models, run, training
from hundredfold.backbones import BACKBONES
from hundredfold.data import Source
from hundredfold.engines.pytorch import ENGINE
from hundredfold.errors import MissingError
from hundredfold.recipe import Recipe
from hundredfold.run import Run

BACKBONE = "wrn(depth=10, width=1)"
OTHER = "shapes(size=20, classes=3, images=40)"
PLAIN = ["--data", OTHER, "--batch-size", "16", "--precision", "fp32", "--threads", "1"]


def test_what_a_network_fitted_to_its_own_images_is_not_fitted_anew(
    tmp_path: Path, backbone
) -> None:
    """A speednet's whitening: its directions on other images are others."""
    sizes = ["--batch-size", "16", "--precision", "fp32", "--threads", "1", "--epochs", "1"]
    named = ["train", *sizes, "--out", str(tmp_path), "--name"]
    first = ["--data", "shapes(size=32, classes=4, images=20)", "--model", "speednet(width=0.125)"]
    assert cli.main([*named, "first", *first]) == 0
    other = "shapes(size=32, classes=3, images=20)"
    on = ["--data", other, "--weights", str(tmp_path / "first")]
    assert cli.main([*named, "other", *on]) == 0
    held = load_file(tmp_path / "first" / "weights" / "best.safetensors")
    assert "whiten.weight" in held
    for name, tensor in backbone(Run(tmp_path / "other")).items():
        assert torch.equal(tensor, held[name]), name


def test_a_run_resumes_with_its_own_weights_only(
    train: Callable[..., Run], tmp_path: Path, taught: Path, progress: training.Progress
) -> None:
    trained_run = train()
    trained_run.save_info(trained_run.info | {"status": "stopped"})
    other = tmp_path / "other.safetensors"
    other.write_bytes((taught / "weights" / "best.safetensors").read_bytes() + b" ")
    with pytest.raises(MissingError, match="not those of the recipe"):
        training.resume(
            trained_run, training.Options(Source(), threads=1, weights=other), progress, ENGINE
        )
    gone = trained_run.info["weights"] | {"file": str(tmp_path / "gone.safetensors")}
    trained_run.save_info(trained_run.info | {"weights": gone})
    with pytest.raises(MissingError, match="no weights at"):
        training.resume(trained_run, training.Options(Source(), threads=1), progress, ENGINE)


def test_a_run_alone_says_the_model(taught: Path, tmp_path: Path) -> None:
    arguments = ["train", *PLAIN, "--epochs", "1", "--weights", str(taught)]
    assert cli.main([*arguments, "--out", str(tmp_path), "--name", "a"]) == 0
    trained_run = run.open_run("a", tmp_path)
    assert str(trained_run.recipe.model) == str(Recipe(model=BACKBONE).model)
    assert trained_run.recipe.strategy.name == "linear_probe"
    weights = (taught / "weights" / "best.safetensors").read_bytes()
    assert trained_run.recipe.weights == f"four@{hashlib.sha256(weights).hexdigest()[:16]}"


def test_weights_of_another_network_name_the_model_to_use(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["train", *PLAIN, "--out", str(tmp_path), "--model", "wrn(depth=16)"]
    for weights in (taught, taught / "weights" / "best.safetensors"):
        assert cli.main([*asked, "--weights", str(weights)]) == 4
        output = capsys.readouterr().err
        assert "not of wrn(depth=16" in output
        assert f'--model "{Recipe(model=BACKBONE).model}"' in output
    assert not list(tmp_path.iterdir())


def test_a_run_is_found_by_its_name_and_pretrained_is_another_spelling(
    taught: Path, tmp_path: Path
) -> None:
    shutil.copytree(taught, tmp_path / "four")
    for name, option in (("a", "--weights"), ("b", "--pretrained")):
        arguments = ["train", *PLAIN, "--epochs", "1", "--out", str(tmp_path), "--name", name]
        assert cli.main([*arguments, option, "four"]) == 0
    one, other = Run(tmp_path / "a"), Run(tmp_path / "b")
    assert one.recipe == other.recipe
    assert one.info["weights"] == other.info["weights"]
    assert one.info["weights"]["sha256"] == one.recipe.weights.removeprefix("four@")


def test_weights_are_said_once(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = ["--weights", "imagenet", "--pretrained", "imagenet"]
    assert cli.main(["train", *PLAIN, *both]) == 2
    assert "--weights and --pretrained are the same option" in capsys.readouterr().err
    assert not list(elsewhere.iterdir())


def test_weights_none_trains_a_recipe_with_weights_from_scratch(tmp_path: Path) -> None:
    asked = ["train", "speednet-finetuned", *PLAIN, "--epochs", "1", "--model", BACKBONE,
             "--optimizer", "adam", "--out", str(tmp_path), "--name", "a"]  # fmt: skip
    assert cli.main([*asked, "--weights", "none"]) == 0
    trained_run = Run(tmp_path / "a")
    assert (trained_run.recipe.weights, trained_run.recipe.strategy.name) == ("", "scratch")
    assert "weights" not in trained_run.info
    assert not any(name.startswith("backbone.") for name in load_file(trained_run.best()))


def test_published_weights_stay_as_written_and_run_json_says_the_file(
    train: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backbone
) -> None:
    network = models.build(BACKBONES["mobilenet_v2"].network, classes=9, size=32, seed=3)
    tensors = {n: t.contiguous() for n, t in network.state_dict().items() if "scale." not in n}
    file = tmp_path / "mobilenet_v2-random.safetensors"
    save_file(tensors, file)
    monkeypatch.setenv("HUNDREDFOLD_WEIGHTS", str(tmp_path))
    trained_run = train(
        model="mobilenet_v2", weights="imagenet", strategy="linear_probe(input_size=32)", epochs=1
    )
    assert trained_run.recipe.weights == "imagenet"
    recorded = trained_run.info["weights"]
    assert recorded["file"] == str(file)
    assert recorded["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    assert (recorded["layout"], recorded["input_size"]) == ("torchvision", 32)
    for name, tensor in backbone(trained_run).items():
        assert "scale." in name or torch.equal(tensor, tensors[name]), name


def test_a_linear_probes_run_lends_its_network_to_fine_tuning(
    train: Callable[..., Run], taught: Path, backbone
) -> None:
    first = train("first", strategy="linear_probe(head='ridge')")
    second = train("second", weights=str(first.folder), strategy="fine_tune(rate=0.1)")
    assert second.recipe.weights.startswith("first@")
    held, actual = load_file(taught / "weights" / "best.safetensors"), backbone(second)
    for name, tensor in actual.items():
        kept = "running" in name or name.startswith("scale.")
        assert torch.equal(tensor, held[name]) == kept, name
    still = {"optimizer": "sgd(lr=0.0, weight_decay=0.0)", "epochs": 1}
    again = train("again", weights=str(second.folder), strategy="fine_tune(rate=0.1)", **still)
    for name, tensor in backbone(again).items():
        assert torch.equal(tensor, actual[name]), name


def test_a_recipe_takes_the_network_of_the_run(taught: Path, tmp_path: Path, backbone) -> None:
    asked = ["train", "speednet-finetuned", *PLAIN, "--epochs", "2", "--set", "optimizer.lr=0.005",
             "--out", str(tmp_path), "--weights", str(taught)]  # fmt: skip
    assert cli.main([*asked, "--name", "a"]) == 0
    trained_run = run.open_run("a", tmp_path)
    assert trained_run.recipe.model.name == "wrn"
    options = trained_run.recipe.strategy.options
    assert (options["rate"], options["head"]) == (1.0, "logistic")
    assert trained_run.recipe.epochs == 2
    assert cli.main([*asked, "--name", "b", "--set", "strategy.freeze=3"]) == 0
    held = load_file(taught / "weights" / "best.safetensors")
    frozen = backbone(run.open_run("b", tmp_path))
    moved = [n for n, t in frozen.items() if not torch.equal(t, held[n])]
    assert 0 < len(moved) < len(backbone(trained_run)) / 2


def test_the_recipe_for_runs_says_that_it_wants_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "speednet-finetuned", *PLAIN]) == 4
    assert "--weights runs/NAME" in capsys.readouterr().err


def test_missing_weights_end_with_code_4_and_how_to_get_them(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", *PLAIN, "--model", "densenet169",
                     "--weights", "imagenet"]) == 4  # fmt: skip
    output = capsys.readouterr().err
    assert "densenet169-b2777c0a.pth" in output
    assert "--weights PATH" in output
    assert not (elsewhere / "runs").exists()
