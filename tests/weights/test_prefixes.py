"""What training puts before the names of tensors is taken off; averaged weights are preferred."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hundredfold.data import Source
from hundredfold.errors import MissingError
from hundredfold.weights._names import our_names, without_prefix
from hundredfold.weights.files import opened
from hundredfold.weights.load import load_weights
from hundredfold.weights.locate import resolve_weights


def _names(names: list[str]):
    return without_prefix(names, {"a.weight", "b.weight"}, lambda n: our_names(n, "vgg"))


@pytest.mark.parametrize(
    "prefix",
    ["module.", "_orig_mod.", "model.", "backbone.", "net.", "module._orig_mod.",
     "model.backbone.net.", "model.module._orig_mod.backbone.", "ema_model.module."],
)  # fmt: skip
def test_a_known_prefix_is_taken_off_and_reported(prefix: str) -> None:
    names = _names([f"{prefix}a.weight", f"{prefix}b.weight", "loss.weight"])
    assert names.by_ours == {n: prefix + n for n in ("a.weight", "b.weight")}
    assert repr(prefix) in names.note
    assert "not used: 1" in names.note


def test_names_that_fit_as_they_are_keep_their_prefix() -> None:
    given = ["model.a", "model.b", "a", "b"]
    expected = {"model.a", "model.b"}
    names = without_prefix(given, expected, lambda n: our_names(n, "vgg"))
    assert (names.prefix, names.note) == ("", "")
    assert set(names.by_ours) == set(given)


def test_averages_beside_plain_names_are_preferred_where_they_are_whole() -> None:
    plain = ["model.a.weight", "model.b.weight"]
    assert _names([*plain, "ema.a.weight"]).prefix == "model."
    names = _names([*plain, "ema.module.a.weight", "ema.module.b.weight"])
    assert names.prefix == "ema.module."
    assert names.note.startswith("averages under")


@pytest.mark.parametrize("key", ["state_dict_ema", "model_ema", "ema_state_dict", "ema_model"])
@pytest.mark.parametrize("inner", [(), ("module",), ("state_dict",)])
def test_averaged_weights_in_a_training_s_save_are_preferred(
    tmp_path: Path, key: str, inner: tuple[str, ...]
) -> None:
    averaged = {"w": torch.ones(2)}
    for word in inner:
        averaged = {"decay": 0.999, word: averaged}
    torch.save({"state_dict": {"w": torch.zeros(2)}, key: averaged}, tmp_path / "w.CKPT")
    with opened(tmp_path / "w.CKPT") as contents:
        assert contents.tensors(["w"])["w"].tolist() == [1, 1]
        assert repr(".".join((key, *inner))) in contents.note


@pytest.mark.parametrize("averaged", [None, {"decay": 0.9}, [torch.ones(2)], {}])
def test_an_average_that_is_no_dictionary_of_tensors_leaves_the_plain_weights(
    tmp_path: Path, averaged: object
) -> None:
    torch.save({"model": {"w": torch.zeros(2)}, "ema": averaged}, tmp_path / "w.pt")
    with opened(tmp_path / "w.pt") as contents:
        assert contents.tensors(["w"])["w"].tolist() == [0, 0]
        assert "'ema'" in contents.note


def _read(recipe_with, made, file: Path):
    recipe, weights = resolve_weights(recipe_with("resnet18"), Source(offline=True), file)
    model = made("resnet18")
    return model, load_weights(model.backbone, recipe.model, weights)


def test_a_whole_network_with_a_prefix_is_loaded(
    tmp_path: Path, published, recipe_with, made
) -> None:
    tensors = published("resnet18")
    others = {"head.weight": torch.ones(3)}
    named = {f"module.model.{n}": t.contiguous() for n, t in tensors.items()}
    save_file(named | others, tmp_path / "w.safetensors")
    model, notes = _read(recipe_with, made, tmp_path / "w.safetensors")
    assert torch.equal(model.backbone.conv1.weight, tensors["conv1.weight"])
    assert notes == [f"'module.model.' taken off {len(tensors)} names; without it, and not used: 1"]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("bn1.running_var", torch.full((64,), -0.5), "bn1.running_var holds a negative variance"),
        (
            "bn1.weight",
            1e300 * torch.ones(64).double(),
            "bn1.weight holds numbers that are not",
        ),
        ("bn1.weight", torch.ones(64, dtype=torch.int64), "bn1.weight holds torch.int64"),
        ("\x1b[31m", torch.ones(1), r"'\x1b[31m'"),
    ],
)
def test_values_that_no_network_has_are_one_sentence_with_the_tensor(
    tmp_path: Path, published, recipe_with, made, name: str, value: torch.Tensor, says: str
) -> None:
    torch.save(published("resnet18") | {name: value}, tmp_path / "w.pth")
    with pytest.raises(MissingError) as caught:
        _read(recipe_with, made, tmp_path / "w.pth")
    assert says in str(caught.value)


@pytest.mark.parametrize("eps", ["nan", "inf", "-1", "2", "one"])
def test_an_epsilon_that_is_none_is_refused(
    tmp_path: Path, published, recipe_with, made, eps: str
) -> None:
    tensors = {n: t.contiguous() for n, t in published("resnet18").items()}
    save_file(tensors, tmp_path / "w.safetensors", {"bn_eps": eps})
    with pytest.raises(MissingError, match="bn_eps"):
        _read(recipe_with, made, tmp_path / "w.safetensors")
