"""Images that are handed over in Python: every form is the same data, every mistake a sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from hundredfold.data import Source, in_memory, load
from hundredfold.errors import DataError, HundredfoldError, UsageError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 8, 8, 3), np.uint8)
LABELS = np.array([7, 3, 3, 7, 11, 11, 3, 7, 11, 3, 7, 11])


class Pairs(torch.utils.data.Dataset):
    """A torch Dataset of (image, label)."""

    def __init__(self, images: Any, labels: Any, classes: Any = None) -> None:
        self.images, self.labels = images, labels
        if classes:
            self.classes = classes

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[Any, Any]:
        return self.images[row], self.labels[row]


def loaded(data: Any, text: str = "arrays") -> Any:
    return load(text, Source(folder=None, in_memory=in_memory(data)))


def pngs(folder: Path) -> list[str]:
    paths = [folder / f"{row}.png" for row in range(len(IMAGES))]
    for path, image in zip(paths, IMAGES, strict=True):
        Image.fromarray(image).save(path)
    return [str(path) for path in paths]


def forms(folder: Path) -> dict[str, Any]:
    """Return the same images and labels in each form that is taken."""
    pictures = [Image.fromarray(image) for image in IMAGES]
    tensors = torch.from_numpy(IMAGES).permute(0, 3, 1, 2)
    return {
        "lists": (list(IMAGES), LABELS.tolist()),
        "tensors": (torch.from_numpy(IMAGES), torch.from_numpy(LABELS)),
        "paths in a table": pd.DataFrame({"image": pngs(folder), "label": LABELS}),
        "pictures in a table": pd.DataFrame({"image": pictures, "label": LABELS}),
        "arrays in a table": pd.DataFrame({"image": list(IMAGES), "label": LABELS}),
        "a Dataset of pictures": Pairs(pictures, LABELS),
        "a Dataset of tensors": Pairs(tensors, LABELS),
        "a Dataset of arrays": Pairs(IMAGES, LABELS),
        "parts": {"train": (IMAGES, LABELS)},
    }


def test_every_form_of_the_same_images_is_the_same_data_set(tmp_path: Path) -> None:
    wanted = loaded((IMAGES, LABELS))
    assert wanted.classes == ("3", "7", "11")
    split = wanted.parts["train"]()
    assert np.array_equal(split.pixels, IMAGES)
    assert [wanted.classes[k] for k in split.labels] == [str(label) for label in LABELS]
    for name, data in forms(tmp_path).items():
        found = loaded(data, "arrays(size=8)")
        assert found.digest == wanted.digest, name
        assert np.array_equal(found.parts["train"]().pixels, IMAGES), name


def test_what_is_seen_decides_the_digest_and_the_test_images_do_not() -> None:
    one = loaded({"train": (IMAGES, LABELS), "test": (IMAGES[:3], LABELS[:3])})
    assert one.digest == loaded((IMAGES, LABELS)).digest
    assert len(one.parts["test"]()) == 3
    changed = IMAGES.copy()
    changed[5, 2, 2, 1] ^= 1
    assert loaded((changed, LABELS)).digest != one.digest
    assert loaded((IMAGES, LABELS[::-1])).digest != one.digest
    assert loaded((IMAGES, LABELS + 1)).digest != one.digest


def test_a_dataset_s_own_class_names_are_the_classes() -> None:
    labels = np.arange(12) % 2
    assert loaded(Pairs(IMAGES, labels, ["cat", "dog"])).classes == ("cat", "dog")
    assert loaded((IMAGES, np.array(["dog", "cat"] * 6))).classes == ("cat", "dog")


def test_labels_of_known_classes_are_their_positions_or_names() -> None:
    for classes, labels in ((("cat", "dog"), [0, 1, 1]), (("1", "2"), [1, 2, 2])):
        held = in_memory((IMAGES[:3], labels), classes, "test")
        assert held.parts["test"].labels.tolist() == [0, 1, 1]
    with pytest.raises(DataError, match="no class of the label '0'"):
        in_memory((IMAGES[:1], [0]), ("1", "2"), "test")


def test_images_that_are_not_square_are_cut_like_those_of_a_folder() -> None:
    wide = RNG.integers(0, 256, (4, 8, 12, 3), np.uint8)
    found = loaded((wide, [0, 1, 0, 1]))
    assert found.size == 8
    assert np.array_equal(found.parts["train"]().pixels, wide[:, :, 2:10])
    assert found.notes == ("images of 12 x 8 pixels become the centred 8 x 8",)


def test_a_user_s_arrays_are_not_written_to_nor_copied() -> None:
    split = loaded((IMAGES, LABELS)).parts["train"]()
    assert np.shares_memory(split.pixels, IMAGES)
    assert IMAGES.flags.writeable and not split.pixels.flags.writeable


WRONG: list[tuple[Any, str]] = [
    ((IMAGES / 255, LABELS), "images are float64, and must be uint8"),
    ((IMAGES.transpose(0, 3, 1, 2), LABELS), "with channels first"),
    ((IMAGES[..., 0], LABELS), "images are 12 x 8 x 8, without colour"),
    ((IMAGES[..., :1], LABELS), "without colour"),
    ((IMAGES[0, 0], LABELS), "must be"),
    ((IMAGES[..., :2], LABELS), "must be (n, height, width, 3)"),
    ((IMAGES, LABELS[:-1]), "there are 12 images and 11 labels"),
    ((IMAGES, LABELS * 0), "all labels are of one class"),
    ((IMAGES, LABELS / 2), "labels are float64, and must be whole numbers or names"),
    ((IMAGES, np.where(LABELS == 3, np.nan, LABELS)), "4 labels are not finite"),
    ((IMAGES, np.eye(12, dtype=int)), "labels are 12 x 12"),
    ((IMAGES, [None] * 12), "labels are of several types"),
    ((IMAGES[:0], []), "there are no images"),
    ((IMAGES,), "data of 1 values"),
    (3, "data of the type int"),
    ({"trian": (IMAGES, LABELS)}, "data have no part 'trian'"),
    (pd.DataFrame({"picture": [1], "label": [2]}), "the table has no column 'image'"),
    (pd.DataFrame({"image": ["a.png"] * 2, "label": ["x", None]}), "1 rows of the table"),
    (pd.DataFrame({"image": ["no.png"] * 2, "label": ["x", "y"]}), "cannot read image 0"),
    (Pairs(torch.rand(4, 3, 8, 8), [0, 1, 0, 1]), "image 0 is float32"),
    (Pairs([1, 2], [0, 1]), "image 0 is int"),
]


@pytest.mark.parametrize(("data", "sentence"), WRONG, ids=[words for _, words in WRONG])
def test_what_cannot_be_used_is_one_sentence(data: Any, sentence: str) -> None:
    with pytest.raises(HundredfoldError) as caught:
        loaded(data)
    assert sentence in caught.value.message
    assert caught.value.exit_code in (2, 3)
    assert "\n" not in caught.value.message


def test_without_images_the_set_says_how_to_hand_them_over() -> None:
    with pytest.raises(UsageError, match="passed from Python"):
        load("arrays", Source(folder=None))
