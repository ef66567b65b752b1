"""Recipes: what decides a run's numbers, and nothing else."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hundredfold import recipe, recipes
from hundredfold.errors import UsageError
from hundredfold.recipe import Recipe
from hundredfold.spec import OwnFiles

OTHERS = {
    "engine": "tensorflow",
    "data": "shapes",
    "model": "resnet(depth=20)",
    "weights": "runs/other",
    "strategy": "fine_tune(rate=0.5)",
    "augment": "flip",
    "loss": "cross_entropy(label_smoothing=0.1)",
    "optimizer": "sgd",
    "schedule": "cosine",
    "resolution": "progressive",
    "epochs": 7,
    "batch_size": 32,
    "patience": 3,
    "select": "last",
    "micro_batch": 64,
    "ema": 0.99,
    "precision": "bf16",
    "validation": 0.2,
    "limit": 100,
    "balance": "weights",
    "folds": 5,
    "fold": 2,
    "seed": 1,
}


def test_the_defaults_are_those_of_keras_with_early_stopping() -> None:
    what = Recipe()
    assert str(what.optimizer).startswith("adam(lr=0.001, beta1=0.9, beta2=0.999")
    assert str(what.loss) == "cross_entropy(label_smoothing=0.0)"
    assert (what.batch_size, what.patience, what.select) == (128, 25, "validation.loss")


def test_the_stored_text_reads_back_as_the_same_recipe() -> None:
    what = recipe.from_fields({"title": 'a "b" \\ é', **OTHERS})
    again = recipe.from_fields(tomllib.loads(what.toml()))
    assert again == what
    assert again.digest == what.digest


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_title_survives_being_stored(title: str) -> None:
    what = Recipe(title=title)
    assert tomllib.loads(what.toml())["title"] == title


def test_the_engine_decides_which_models_there_are() -> None:
    there = Recipe(engine="tensorflow", model="resnet").model
    assert str(there) == "resnet(depth=20, stem='auto')"
    with pytest.raises(UsageError, match="the TensorFlow engine has no model 'wrn'"):
        Recipe(model="wrn").override({"engine": "tensorflow"})
    with pytest.raises(UsageError, match="no model is called 'keras_application'"):
        Recipe(model='keras_application(name="vgg16")')


def test_an_option_of_an_engines_own_model_can_be_set() -> None:
    what = Recipe(engine="tensorflow", model='keras_application(name="vgg16")')
    changed = what.override({}, ["model.dropout=0.5"])
    assert changed.model.options == {"name": "vgg16", "dropout": 0.5}


def test_defaults_are_spelled_out() -> None:
    assert str(Recipe(model="wrn").model) == "wrn(depth=28, width=10, dropout=0.0)"
    assert Recipe(model="wrn").digest == Recipe(model="wrn(width=10)").digest


NO_NUMBERS = {"title", "source"}
FILLED_IN = {"sources"}  # by the code that a part names
TOGETHER = {"weights", "strategy", "fold"}


@pytest.mark.parametrize(
    "field", sorted(Recipe.model_fields.keys() - NO_NUMBERS - FILLED_IN - TOGETHER)
)
def test_every_field_that_decides_the_numbers_is_in_the_digest(field: str) -> None:
    assert Recipe().override({field: OTHERS[field]}).digest != Recipe().digest


def test_the_fold_is_in_the_digest() -> None:
    folds = [Recipe(folds=5, fold=fold).digest for fold in range(5)]
    assert len({*folds, Recipe().digest, Recipe(folds=4).digest}) == 7


def test_fields_that_came_later_leave_the_digests_of_older_runs() -> None:
    """The digest of the defaults, computed before there were balance and folds."""
    assert Recipe().digest == "2ae7657acd88858c61e6b5586fd1f0ef82ffc3445a5c82e1016a5c209c04aae7"
    assert recipe.from_fields({"balance": "none", "folds": 0}).digest == Recipe().digest


@pytest.mark.parametrize(("folds", "fold"), [(1, 0), (5, 5), (0, 1)])
def test_folds_that_cannot_be_are_refused(folds: int, fold: int) -> None:
    with pytest.raises(UsageError, match=f"no fold = {fold} of folds = {folds}"):
        recipe.from_fields({"folds": folds, "fold": fold})


def test_weights_and_what_is_done_with_them_are_in_the_digest() -> None:
    asked = [{}, {"weights": "a.pth"}, {"weights": "b.pth"},
             {"weights": "a.pth", "strategy": "fine_tune"},
             {"weights": "a.pth", "strategy": "fine_tune(rate=0.5)"}]  # fmt: skip
    assert len({Recipe(**fields).digest for fields in asked}) == len(asked)
    probe = {"weights": "a.pth", "strategy": "linear_probe"}
    assert Recipe(**probe).digest == Recipe(weights="a.pth").digest
    assert Recipe(strategy="scratch", weights="none").digest == Recipe().digest


def test_the_bytes_of_a_users_own_code_are_in_the_digest(tmp_path: Path) -> None:
    digests, known = set(), set()
    for width in (1, 2):
        (tmp_path / "mine.py").write_text(f"def net(classes): return {width}\n")
        what = recipe.from_fields({"model": "mine.py:net"}, OwnFiles(tmp_path))
        digests.add(what.digest)
        known.update(what.sources.values())
    assert len(digests) == 2
    assert len(known) == 2


def test_equal_recipes_are_one_key() -> None:
    assert len({Recipe(seed=1), Recipe(seed=1), Recipe(seed=2)}) == 2


def test_title_and_source_are_not_in_the_digest() -> None:
    assert Recipe(title="a", source="b").digest == Recipe().digest


def test_an_override_of_none_changes_nothing() -> None:
    assert Recipe().override({"epochs": None, "seed": None}) == Recipe()


def test_set_changes_a_field_an_option_and_an_option_in_a_chain() -> None:
    what = Recipe(model="wrn", augment="pad_crop | flip")
    found = what.override({}, ["epochs=5", "model.depth=16", "augment.pixels=2", "ema=0.9"])
    assert (found.epochs, found.ema) == (5, 0.9)
    assert str(found.model).startswith("wrn(depth=16, width=10")
    assert str(found.augment).startswith("pad_crop(pixels=2")


@pytest.mark.parametrize(
    ("text", "sentence", "remedy"),
    [
        ("epoch=5", "cannot set 'epoch=5'", "did you mean 'epochs'?"),
        ("epochs", "cannot set 'epochs'", "did you mean 'epochs'?"),
        ("model.dept=5", "has no option 'dept'", "did you mean 'depth'?"),
        ("epochs.depth=5", "'epochs' has no options", "--set epochs=5"),
        ("model.depth=deep", "not of the type int", None),
    ],
)
def test_a_wrong_set_is_one_sentence(text: str, sentence: str, remedy: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        Recipe(model="wrn").override({}, [text])
    assert sentence in caught.value.message
    if remedy:
        assert caught.value.remedy == remedy


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"epoch": 3}, "a recipe has no key 'epoch'"),
        ({"epochs": -1}, "epochs = -1"),
        ({"epochs": "3"}, "epochs = '3'"),
        ({"epochs": True}, "epochs = True"),
        ({"epochs": -3.5}, "epochs = -3.5"),
        ({"epochs": float("inf")}, "epochs = inf"),
        ({"epochs": float("nan")}, "epochs = nan"),
        ({"validation": 1.0}, "validation = 1.0"),
        ({"validation": -0.1}, "validation = -0.1"),
        ({"validation": 0.0}, "with validation = 0 there is no validation.loss"),
        ({"validation": 0.0, "select": "validation.top_1"}, 'set select = "last"'),
        ({"micro_batch": -1}, "micro_batch = -1"),
        ({"select": "test.top_1"}, "select = 'test.top_1'"),
        ({"precision": "fp16"}, "precision = 'fp16'"),
        ({"seed": -1}, "seed = -1"),
        ({"model": "resnt"}, "no model is called 'resnt'"),
        ({"data": "cifar1000"}, "no data set is called 'cifar1000'"),
        ({"augment": "flip | spin"}, "no augmentation is called 'spin'"),
        ({"optimizer": "adamm"}, "no optimizer is called 'adamm'"),
        ({"schedule": "cosin"}, "no schedule is called 'cosin'"),
        ({"loss": "cross"}, "no loss is called 'cross'"),
    ],
)
def test_a_wrong_field_is_one_sentence(fields: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        recipe.from_fields(fields)
    assert sentence in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.exit_code == 2


def test_a_recipe_may_train_on_all_images_where_it_keeps_the_last_weights() -> None:
    what = recipe.from_fields({"validation": 0.0, "select": "last"})
    assert what.validation == 0
    with pytest.raises(UsageError, match=r"no validation\.loss"):
        what.override({"select": "validation.loss"})


def test_a_recipe_that_is_not_there_is_answered_with_the_closest() -> None:
    with pytest.raises(UsageError, match="no recipe is called 'resnet-2'") as caught:
        recipes.load("resnet-2")
    assert caught.value.remedy == "did you mean 'resnet-20'?"


@pytest.mark.parametrize("content", [b"epochs = ", b"\xff\xfe", b"[a]\n[a]"])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"cannot read the recipe .*mine\.toml"):
        recipes.load(str(path))


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match=r"there is no recipe file 'nowhere\.toml'"):
        recipes.load("nowhere.toml")


def test_what_the_project_promises_ships() -> None:
    named = {"simple-cnn", "resnet-20", "resnet-18", "densenet-bc-100-12", "vgg16-bn", "wrn-28-10"}
    assert named <= recipes.shipped("").keys()
    assert {"quickstart", "baselines"} <= recipes.shipped("studies").keys()


@pytest.mark.parametrize("name", recipes.shipped(""))
def test_a_recipe_that_ships_is_short_and_says_where_it_comes_from(name: str) -> None:
    what = recipes.load(name)
    assert what.title
    assert what.source
    assert len(recipes.shipped("")[name].read_text(encoding="utf-8").splitlines()) <= 20


def test_reading_every_recipe_loads_no_torch() -> None:
    code = (
        "import sys; from hundredfold import recipes, studies\n"
        "[recipes.load(n) for n in recipes.shipped('')]\n"
        "[studies.variants(studies.load(n)) for n in recipes.shipped('studies')]\n"
        "print([m for m in ('torch', 'sklearn', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_epochs_are_whole_where_they_can_be() -> None:
    whole, given = Recipe(epochs=2), Recipe().override({}, ["epochs=2.0"])
    assert type(given.epochs) is int
    assert given.digest == whole.digest
    assert Recipe(epochs=2.5).epochs == 2.5
