"""What becomes of a recipe: the same run again, small sets, inert options, what is recorded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hundredfold import cli, recipes
from hundredfold.data import Source
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.training import resolve
from hundredfold.weights.locate import WeightsFile

SHAPES = ["--data", "shapes(size=18, classes=4, images=24)"]
PLAIN = ["--precision", "fp32", "--threads", "1", "--epochs", "1"]
Photos = Callable[..., Path]


@pytest.fixture
def photos(elsewhere: Path) -> Photos:
    """Return a function that draws class folders of so many images each."""

    def draw(name: str, **counts: int) -> Path:
        chance = np.random.default_rng(0)
        for part, count in counts.items():
            label, folder = "ab".index(part[-1]), elsewhere / name / part
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = chance.integers(60 * label, 60 * label + 90, (16, 16, 3), np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
        return elsewhere / name

    return draw


def _train(*options: str) -> int:
    return cli.main(["train", *PLAIN, *options])


def _contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("named", [[], ["--name", "a"]], ids=["default", "named"])
def test_the_same_training_again_is_finished_and_shown(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], named: list[str]
) -> None:
    options = [*SHAPES, "--batch-size", "16", *named]
    assert _train(*options, "--json") == 0
    first = json.loads(capsys.readouterr().out)
    before = _contents(elsewhere / first["run"])
    assert _train(*options, "--json") == 0
    assert json.loads(capsys.readouterr().out) == first
    assert _train(*options) == 0
    assert "finished, nothing to do" in capsys.readouterr().out
    assert _contents(elsewhere / first["run"]) == before
    assert sorted(p.name for p in (elsewhere / "runs").iterdir()) == sorted(
        {Path(first["run"]).name, "latest"}
    )


def test_a_name_that_another_recipe_or_other_data_have_is_refused(
    elsewhere: Path, photos: Photos, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _train(*SHAPES, "--name", "a") == 0
    before = _contents(elsewhere / "runs" / "a")
    assert _train(*SHAPES, "--seed", "1", "--name", "a") == 2
    assert "exists, with another recipe" in capsys.readouterr().err
    assert _contents(elsewhere / "runs" / "a") == before
    folder = photos("d", a=12, b=12)
    assert _train("--data", str(folder), "--name", "b") == 0
    (folder / "a" / "0.png").unlink()
    assert _train("--data", str(folder), "--name", "b") == 2
    assert "exists, of other data" in capsys.readouterr().err


@pytest.mark.parametrize("images", [2, 3, 9, 40, 127])
def test_few_images_train_by_default_in_batches_that_they_fill(
    photos: Photos, capsys: pytest.CaptureFixture[str], images: int
) -> None:
    counts = {"train/a": images // 2, "train/b": images - images // 2, "val/a": 2, "val/b": 2}
    folder = photos("d", **counts)
    assert cli.main(["train", *PLAIN, "--data", str(folder), "--name", "a"]) == 0
    run = Run(Path("runs") / "a")
    size = run.info["resolved"]["batch_size"]
    assert run.recipe.batch_size == 128, "as written"
    assert 2 <= size <= max(2, images // 4)
    assert run.info["steps_per_epoch"] == images // size
    assert f"{size} images, not 128: there are {images}" in (run.folder / "log.txt").read_text()
    capsys.readouterr()
    assert cli.main(["train", *PLAIN, "--data", str(folder), "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["resolved"]["batch_size"] == size


def test_a_set_of_one_batch_keeps_the_recipes_batch(photos: Photos) -> None:
    folder = photos("d", **{"train/a": 64, "train/b": 64, "val/a": 2, "val/b": 2})
    assert _train("--data", str(folder), "--name", "a") == 0
    run = Run(Path("runs") / "a")
    assert "batch_size" not in run.info["resolved"]
    assert run.info["steps_per_epoch"] == 1


@pytest.mark.parametrize("recipe", ["speed-75", "densenet-bc-100-12", "simple-cnn"])
def test_a_recipe_that_ships_follows_a_small_set_too(photos: Photos, recipe: str) -> None:
    folder = photos("d", a=20, b=20)
    small = ["--model", "simple_cnn", "--optimizer", "adam", "--resolution", "full"]
    assert _train(recipe, *small, "--data", str(folder), "--name", "a") == 0
    assert Run(Path("runs") / "a").info["resolved"]["batch_size"] == 8


def test_a_batch_that_the_user_names_is_an_error_where_it_is_too_large(
    elsewhere: Path, photos: Photos, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = photos("d", a=20, b=20)
    (elsewhere / "mine.toml").write_text('data = "image_folder"\nbatch_size = 128\n')
    for options in (["--batch-size", "128"], ["--set", "batch_size=128"], ["mine.toml"]):
        assert _train(*options, "--data", str(folder)) == 2
        assert "a batch of 128 is larger than the 36 training images" in capsys.readouterr().err
    assert not (elsewhere / "runs").exists()


def test_a_small_set_is_resumed_in_the_batches_that_it_began_with(photos: Photos) -> None:
    folder, options = photos("d", a=20, b=20), ["--threads", "1", "--precision", "fp32"]
    options += ["--data", str(folder), "--epochs", "3"]
    assert cli.main(["train", *options, "--name", "whole"]) == 0
    whole = Run(Path("runs") / "whole")
    begun = Run(Path("runs") / "begun")
    shutil.copytree(whole.folder, begun.folder)
    begun.save_info(begun.info | {"status": "running"})
    assert cli.main(["train", "--resume", "begun"]) == 0
    assert begun.best().read_bytes() == whole.best().read_bytes()
    assert begun.info["resolved"] == whole.info["resolved"]


def test_a_patience_that_cannot_act_is_refused_and_none_is_always_allowed(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = [*SHAPES, "--set", 'select="last"', "--batch-size", "16"]
    (elsewhere / "mine.toml").write_text('patience = 3\nselect = "last"\n')
    for options in (["--patience", "3"], ["--set", "patience=3"], ["mine.toml"]):
        for more in ([], ["--dry-run"]):
            assert _train(*options, *last, *more) == 2, options
            assert "patience = 3 does nothing" in capsys.readouterr().err
    assert _train("digits", "--patience", "3") == 2
    assert _train(*SHAPES, "--budget", "30s", "--patience", "3") == 2
    assert not (elsewhere / "runs").exists()
    assert _train(*last, "--patience", "0", "--name", "a") == 0
    assert _train(*last, "--name", "b") == 0, "a default gives way"


@pytest.mark.parametrize("name", recipes.shipped(""))
def test_no_recipe_that_ships_has_a_patience_that_cannot_act(name: str) -> None:
    one = recipes.load(name)
    assert one.patience == 0 or one.select != "last"


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("data", ["digits", "shapes(size=18, classes=4, images=24)"])
def test_a_folder_for_data_that_need_none_is_refused_by_every_verb(
    photos: Photos,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    data: str,
) -> None:
    folder = str(photos("d", a=2, b=2))
    assert _train("--data", data, "--name", "a") == 0
    for verb in (
        ["train", *PLAIN, "--data", data, "--name", "b"],
        ["train", *PLAIN, "--data", data, "--dry-run"],
        ["evaluate", "a"],
        ["data", "check", data],
        ["data", "fetch", data],
    ):
        assert cli.main([*verb, "--data-dir", folder]) == 2, verb
        assert "which needs no files" in capsys.readouterr().err
    monkeypatch.setenv("HUNDREDFOLD_DATA", folder)  # which is for other data sets
    assert _train("--data", data, "--name", "c") == 0
    assert Run(Path("runs") / "c").info["data"]["folder"] is None


def test_a_study_refuses_a_folder_that_none_of_its_data_need(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "d").mkdir()
    assert cli.main(["study", "quickstart", "--dry-run", "--data-dir", "d"]) == 2
    assert "which needs no files" in capsys.readouterr().err


def _facts(name: str) -> dict[str, Any]:
    return Run(Path("runs") / name).info


@pytest.mark.usefixtures("elsewhere")
def test_a_run_says_what_auto_became_and_its_digest_tells_equal_numbers() -> None:
    auto = [*SHAPES, "--batch-size", "16", "--epochs", "1", "--threads", "1"]
    assert cli.main(["train", *auto, "--name", "auto"]) == 0
    actual = _facts("auto")
    assert actual["resolved"] == {"precision": actual["precision"]}
    assert actual["recipe_digest"] == Run(Path("runs") / "auto").recipe.digest
    assert cli.main(["train", *auto, "--name", "again"]) == 0
    assert _facts("again")["resolved_digest"] == actual["resolved_digest"]
    digests = {actual["resolved_digest"]}
    for number, change in enumerate((["--seed", "1"], ["--precision", "fp32"]), 1):
        assert cli.main(["train", *auto, *change, "--name", f"other{number}"]) == 0
        digests.add(_facts(f"other{number}")["resolved_digest"])
    assert len(digests) == 3


def test_the_digest_of_what_a_recipe_became_depends_on_what_it_became() -> None:
    from types import SimpleNamespace

    from hundredfold.training.resolve import resolved_facts

    recipe, digests = Recipe(), set()
    for precision, batch in (("fp32", 128), ("bf16", 128), ("fp32", 8)):
        became = recipe.override({"batch_size": batch})
        facts = resolved_facts(recipe, SimpleNamespace(precision=precision, recipe=became))
        assert facts["recipe_digest"] == recipe.digest
        digests.add(facts["resolved_digest"])
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("strategy", "size"), [("linear_probe", 224), ("linear_probe(input_size=112)", 112)]
)
def test_own_images_are_decoded_at_the_size_that_published_weights_take(
    tmp_path: Path, strategy: str, size: int
) -> None:
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (50, 40)).save(tmp_path / "photos" / name / f"{number}.png")
    source = Source(folder=tmp_path / "photos", cache=tmp_path / "cache")
    file = WeightsFile(tmp_path / "w.pth", "0" * 16, "torchvision")
    fields = {"data": "image_folder", "model": "densenet169", "weights": "imagenet"}
    written = Recipe(**fields, strategy=strategy)
    recipe, dataset = resolve.open_data(written, file, source)
    assert recipe.data.options["size"] == dataset.size == size
    again, _ = resolve.open_data(recipe, file, source)
    assert again == recipe
    fixed = written.override({"data": "image_folder(size=48)"})
    assert resolve.open_data(fixed, file, source)[1].size == 48
    assert resolve.open_data(Recipe(data="image_folder"), None, source)[1].size == 40
