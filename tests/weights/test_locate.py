"""Where weights are looked for, and how they become part of a recipe."""

from pathlib import Path

import pytest

from hundredfold.backbones import BACKBONES
from hundredfold.data import Source
from hundredfold.errors import MissingError, UsageError
from hundredfold.recipe import Recipe
from hundredfold.spec import parse
from hundredfold.weights.locate import locate, settle

WHAT = Recipe(model="transfer(backbone='vgg16')")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(cache=tmp_path / "cache", offline=True)


def test_a_file_or_its_folder_is_taken_as_it_is(tmp_path: Path, source: Source) -> None:
    file = tmp_path / "vgg16-1234.pth"
    file.write_bytes(b"1")
    (tmp_path / "vgg16_bn-1234.pth").write_bytes(b"2")
    (tmp_path / "vgg16.txt").write_bytes(b"3")
    for given in (file, tmp_path):
        assert locate("vgg16", given, source) == file


def test_the_environment_and_the_cache_come_next(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = source.cache / "weights" / BACKBONES["vgg16"].file
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"1")
    assert locate("vgg16", None, source) == kept
    named = tmp_path / "vgg16.safetensors"
    named.write_bytes(b"2")
    monkeypatch.setenv("HUNDREDFOLD_WEIGHTS", str(tmp_path))
    assert locate("vgg16", None, source) == named


@pytest.mark.parametrize("names", [(), ("vgg16-a.pth", "vgg16-b.h5")])
def test_a_folder_without_the_one_file_is_one_sentence(
    tmp_path: Path, source: Source, names: tuple[str, ...]
) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(MissingError, match=f"holds {len(names)} files") as caught:
        locate("vgg16", tmp_path, source)
    assert all(name in str(caught.value) for name in names)


def test_no_weights_say_where_they_are(tmp_path: Path, source: Source) -> None:
    for given in (None, tmp_path / "none.pth"):
        with pytest.raises(MissingError) as caught:
            locate("vgg16", given, source)
        assert "https://download.pytorch.org/models/vgg16-397923af.pth" in str(caught.value)
        assert caught.value.exit_code == 4
    with pytest.raises(MissingError, match="no weights of its own"):
        locate("wrn(depth=16)", None, source)


def test_a_downloads_checksum_begins_as_its_name_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        "hundredfold.data.download", lambda url, _, sha256: asked.append((url, sha256))
    )
    locate("densenet169", None, Source(cache=tmp_path, offline=False))
    assert asked == [("https://download.pytorch.org/models/densenet169-b2777c0a.pth", "b2777c0a")]


def test_weights_become_part_of_the_recipes_digest(tmp_path: Path, source: Source) -> None:
    settled = []
    for number, name in enumerate(("a.pth", "b.pth", "c.h5")):
        (tmp_path / name).write_bytes(bytes([number]))
        settled.append(settle(WHAT, tmp_path / name, source))
    assert len({what.digest for what in (WHAT, *settled)}) == 4
    assert [parse(w.model).options["form"] for w in settled] == [*["torchvision"] * 2, "keras"]
    again = settle(settled[0], tmp_path / "a.pth", source)
    assert again.digest == settled[0].digest
    with pytest.raises(MissingError, match="not those of the recipe"):
        settle(settled[0], tmp_path / "b.pth", source)


def test_weights_that_nothing_would_use_are_refused(tmp_path: Path, source: Source) -> None:
    plain = Recipe(model="simple_cnn")
    assert settle(plain, None, source) == plain
    with pytest.raises(UsageError, match="takes none"):
        settle(plain, tmp_path / "a.pth", source)


def test_every_card_names_a_checksum_and_a_network() -> None:
    for name, card in BACKBONES.items():
        assert len(card.sha256) == 8, name
        assert int(card.sha256, 16) >= 0
        assert parse(card.network).name in ("vgg", "resnet", "densenet", "mobilenet_v2",
                                            "efficientnet", "convnext")  # fmt: skip
