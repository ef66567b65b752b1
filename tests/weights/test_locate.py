"""Where weights are looked for, and how they become part of a recipe."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from hundredfold import models
from hundredfold.backbones import BACKBONES, name_of
from hundredfold.data import Source
from hundredfold.errors import MissingError
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.spec import Part, names, parse
from hundredfold.weights import files
from hundredfold.weights.locate import locate, resolve_weights, spelled_out


def network(name: str) -> Part:
    """Return the network of a recipe that names it so."""
    return Recipe(model=name).model


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(cache=tmp_path / "cache", offline=True)


def test_a_file_or_its_folder_is_taken_as_it_is(tmp_path: Path, source: Source) -> None:
    file = tmp_path / "vgg16-1234.pth"
    file.write_bytes(b"1")
    (tmp_path / "vgg16_bn-1234.pth").write_bytes(b"2")
    (tmp_path / "vgg16.txt").write_bytes(b"3")
    for given in (file, tmp_path):
        assert locate(network("vgg16"), given, source) == file


def test_the_environment_and_the_cache_come_next(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = source.cache / "weights" / BACKBONES["vgg16"].file
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"1")
    assert locate(network("vgg16"), None, source) == kept
    named = tmp_path / "vgg16.safetensors"
    named.write_bytes(b"2")
    monkeypatch.setenv("HUNDREDFOLD_WEIGHTS", str(tmp_path))
    assert locate(network("vgg16"), None, source) == named


@pytest.mark.parametrize("names", [(), ("vgg16-a.pth", "vgg16-b.h5")])
def test_a_folder_without_the_one_file_is_one_sentence(
    tmp_path: Path, source: Source, names: tuple[str, ...]
) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(MissingError, match=f"holds {len(names)} files") as caught:
        locate(network("vgg16"), tmp_path, source)
    assert all(name in str(caught.value) for name in names)


def test_no_weights_say_where_they_are(tmp_path: Path, source: Source) -> None:
    for given in (None, tmp_path / "none.pth"):
        with pytest.raises(MissingError) as caught:
            locate(network("vgg16"), given, source)
        assert "https://download.pytorch.org/models/vgg16-397923af.pth" in str(caught.value)
        assert caught.value.exit_code == 4
    with pytest.raises(MissingError, match="no weights of its own"):
        locate(network("wrn(depth=16)"), None, source)


def test_a_downloads_checksum_begins_as_its_name_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        "hundredfold.data.download", lambda url, _, sha256: asked.append((url, sha256))
    )
    locate(network("densenet169"), None, Source(cache=tmp_path, offline=False))
    assert asked == [("https://download.pytorch.org/models/densenet169-b2777c0a.pth", "b2777c0a")]


def test_weights_become_part_of_the_recipes_digest(tmp_path: Path, source: Source) -> None:
    pinned = []
    for number, name in enumerate(("a.pth", "b.pth", "c.h5")):
        (tmp_path / name).write_bytes(bytes([number]))
        recipe_as_written = Recipe(model="vgg16", weights=str(tmp_path / name))
        recipe, file = resolve_weights(recipe_as_written, source)
        assert file is not None
        assert file.digest == sha256(bytes([number]))
        assert recipe.weights == f"{name}@{file.digest}"
        assert file.layout == ("keras" if name == "c.h5" else "torchvision")
        assert not file.own
        pinned.append(recipe)
    assert len({what.digest for what in pinned}) == 3
    again, file = resolve_weights(pinned[0], source, tmp_path / "a.pth")
    assert again == pinned[0]
    assert file is not None
    assert file.path == tmp_path / "a.pth"
    with pytest.raises(MissingError, match="not those of the recipe"):
        resolve_weights(pinned[0], source, tmp_path / "b.pth")


def test_the_same_weights_are_the_same_run_wherever_they_lie(
    tmp_path: Path, source: Source
) -> None:
    digests = set()
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "vgg16.pth").write_bytes(b"1")
        for given in (tmp_path / folder, tmp_path / folder / "vgg16.pth"):
            recipe, _ = resolve_weights(Recipe(model="vgg16", weights=str(given)), source)
            digests.add(recipe.digest)
    assert len(digests) == 1


def test_an_at_sign_in_a_name_is_no_pin(tmp_path: Path, source: Source) -> None:
    file = tmp_path / "vgg16@home.pth"
    file.write_bytes(b"1")
    recipe, _ = resolve_weights(Recipe(model="vgg16", weights=str(file)), source)
    assert recipe.weights == f"vgg16-home.pth@{sha256(b'1')}"
    assert resolve_weights(recipe, source, file)[0] == recipe


def test_published_weights_keep_their_name_wherever_they_lie(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Recipe(model="vgg16", weights="imagenet")
    file = tmp_path / "vgg16.h5"
    file.write_bytes(b"2")
    monkeypatch.setenv("HUNDREDFOLD_WEIGHTS", str(tmp_path))
    for place in (None, tmp_path, file):
        recipe, actual = resolve_weights(given, source, place)
        assert recipe == given
        assert actual is not None
        assert actual.to_json() == {"file": str(file), "sha256": sha256(b"2"), "layout": "keras"}


def test_a_runs_weights_are_pinned_by_its_name(
    tmp_path: Path, source: Source, make_run: Callable[..., Run]
) -> None:
    run = make_run(tmp_path, Recipe(), name="mine")
    run.save_info(run.info | {"status": "stopped"})
    given = Recipe(weights=str(run.folder))
    with pytest.raises(MissingError, match="has no weights yet") as caught:
        resolve_weights(given, source)
    assert f"--resume {run.folder}" in str(caught.value)
    tensors = models.build("simple_cnn", classes=3, size=18, seed=0).state_dict()
    files.write(run.best(), tensors, {"recipe_digest": run.recipe.digest, "layout": "keras"})
    recipe, file = resolve_weights(given, source)
    assert file is not None
    assert recipe.weights == f"mine@{sha256(run.best().read_bytes())}"
    assert (file.path, file.own, file.layout) == (run.best(), True, "keras")
    files.write(run.best(), {n: torch.zeros_like(t) for n, t in tensors.items()}, {})
    assert resolve_weights(given, source)[0].digest != recipe.digest


def test_a_recipe_without_weights_begins_at_random(source: Source) -> None:
    for plain in (Recipe(model="vgg16"), Recipe(model="vgg16", weights="none")):
        assert resolve_weights(plain, source) == (plain, None)
        assert plain.digest == Recipe(model="vgg16").digest


def test_every_backbones_network_leads_back_to_its_name() -> None:
    for name in BACKBONES:
        assert name_of(network(name)) == name


def test_every_backbone_names_a_checksum_and_a_network() -> None:
    for name, backbone in BACKBONES.items():
        assert len(backbone.sha256) == (16 if backbone.digest else 8), name
        assert int(backbone.sha256, 16) >= 0
        assert parse(backbone.network).name in names(models.__name__)


@pytest.mark.parametrize("text", ["a" * 300, "ü" * 200 + ".pth", "a/" * 3000])
def test_a_name_that_no_disk_can_hold_is_one_sentence(
    tmp_path: Path, source: Source, text: str
) -> None:
    with pytest.raises(MissingError, match="there are no weights") as caught:
        spelled_out(text, tmp_path)
    assert len(str(caught.value)) < 500
    with pytest.raises(MissingError, match="there are no weights"):
        resolve_weights(Recipe(model="vgg16", weights=text), source)
