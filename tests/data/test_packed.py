"""Packed images: indexed like an array, equal at every decoding, checked at every reading."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from hundredfold import cache
from hundredfold.data import Packed, Source, _store, load, training
from hundredfold.data._packed import decoded, encode
from hundredfold.errors import DataError, UsageError

SIZE = 24
TEXT = f"image_folder(size={SIZE}, store='jpeg')"
KEYS = [0, -1, slice(None), slice(3, 11, 2), [5, 5, 0], np.array([[1, 2], [3, 4]]), [], slice(5, 2)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty smooth pictures in two classes; JPEG keeps smooth ones almost as they are."""
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(20):
            noise = Image.fromarray(rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8))
            smooth = noise.filter(ImageFilter.GaussianBlur(4))
            smooth.save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


def at(folder: Path, cache: str = "cache") -> Source:
    return Source(folder=folder, cache=folder.parent / cache, offline=True)


def packed(folder: Path, text: str = TEXT) -> Packed:
    pixels = load(text, at(folder)).parts["train"]().pixels
    assert isinstance(pixels, Packed)
    return pixels


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_packed_images_are_indexed_like_an_array(folder: Path, key) -> None:
    images = packed(folder)
    whole = np.stack([images[row] for row in range(len(images))])
    assert (images.shape, images.dtype, len(images)) == (whole.shape, whole.dtype, len(whole))
    assert images.nbytes == whole.nbytes
    np.testing.assert_array_equal(images[key], whole[key])
    np.testing.assert_array_equal(images[np.arange(40) % 3 == 0], whole[::3])
    with pytest.raises(IndexError):
        images[40]


def test_packed_images_are_nearly_those_of_the_files(folder: Path) -> None:
    plain = load(f"image_folder(size={SIZE})", at(folder)).parts["train"]()
    assert isinstance(plain.pixels, np.ndarray)
    difference = packed(folder)[:].astype(int) - plain.pixels
    assert np.abs(difference).mean() < 2


def test_decoding_again_gives_equal_bits_and_digests(folder: Path) -> None:
    first, again = (load(TEXT, at(folder, cache)) for cache in ("one", "two"))
    assert first.digest == again.digest
    pixels = [data.parts["train"]().pixels for data in (first, again, first)]
    np.testing.assert_array_equal(pixels[0][:], pixels[1][::-1][::-1])
    np.testing.assert_array_equal(pixels[0][:], pixels[2][np.arange(40)])


def test_grey_stays_exactly_grey() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 1), np.uint8).repeat(3, 2)
    pixels = decoded(encode(grey))
    assert (pixels[..., :1] == pixels).all()
    assert pixels.shape == grey.shape


def test_packed_images_are_never_decoded_as_a_whole(folder: Path) -> None:
    with pytest.raises(TypeError, match="not as a whole"):
        np.asarray(packed(folder))


@pytest.mark.parametrize("damage", ["changed", "cut"])
def test_damage_is_named_when_it_is_read_and_mended_by_the_next_load(
    folder: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    before = load(TEXT, at(folder))
    (file,) = (folder.parent / "cache").rglob("images.bin")
    content = bytearray(file.read_bytes())
    if damage == "changed":
        content[-40] ^= 1
        file.write_bytes(content)
        pixels = before.parts["train"]().pixels
        pixels[0]  # the first image is whole
        with pytest.raises(DataError, match="damaged") as caught:
            pixels[:]
        assert "again" in str(caught.value.remedy)
    else:
        file.write_bytes(content[:-1])
    after = load(TEXT, at(folder))
    assert "is damaged and will be created again" in caplog.text
    assert after.digest == before.digest
    assert after.parts["train"]().pixels[:].shape == (40, SIZE, SIZE, 3)


def test_damage_in_a_cache_that_cannot_be_written_says_what_to_delete(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = packed(folder)
    (file,) = (folder.parent / "cache").rglob("images.bin")
    content = bytearray(file.read_bytes())
    content[10] ^= 1
    file.write_bytes(content)

    def refuse(_folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(cache, "discard", refuse)
    with pytest.raises(DataError, match="damaged") as caught:
        pixels[0]
    assert str(file.parent) in caught.value.message
    assert str(caught.value.remedy).startswith("delete that folder")


def test_files_that_cannot_be_read_are_left_out(folder: Path) -> None:
    (folder / "a" / "3.png").write_bytes(b"poison")
    data = load(TEXT, at(folder))
    split = data.parts["train"]()
    assert len(split.pixels) == len(split.labels) == len(split.names) == 39
    assert "a/3.png" in data.notes[0]
    assert list(split.labels).count(0) == 19


def test_a_set_whose_pixels_would_take_too_much_is_packed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    auto = f"image_folder(size={SIZE})"
    monkeypatch.setattr(_store, "_MOST_BYTES", 40 * SIZE * SIZE * 3 - 1)
    kept = load(auto, at(folder))
    assert isinstance(kept.parts["train"]().pixels, Packed)
    assert kept.digest == load(TEXT, at(folder, "other")).digest
    monkeypatch.undo()  # there is room now, and what the cache has is used
    assert load(auto, at(folder)).digest == kept.digest
    assert isinstance(load(auto, at(folder, "new")).parts["train"]().pixels, np.ndarray)


def test_equal_images_are_found_without_decoding(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "b" / "99.png").write_bytes((folder / "a" / "0.png").read_bytes())
    monkeypatch.setattr("hundredfold.data._notes._COMPARED", 10)
    monkeypatch.setattr(Packed, "__getitem__", None)
    notes = "\n".join(load(TEXT, at(folder)).notes)
    assert "1 pair of images of one part that are equal" in notes
    assert "1 of these pairs in two classes" in notes


def test_splits_share_the_packed_images(folder: Path) -> None:
    train, validation = training(load(TEXT, at(folder)))
    assert (len(train), len(validation)) == (36, 4)
    assert train.pixels is validation.pixels


def test_an_unknown_way_to_keep_images_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="'jpg'") as caught:
        load("image_folder(store='jpg')", at(folder))
    assert "jpeg" in str(caught.value.remedy)
