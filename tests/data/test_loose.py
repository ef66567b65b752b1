"""Images that lie in no class, and folders that a data set's name hides: told, never silent."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hundredfold import data
from hundredfold.cli.data import check
from hundredfold.data import Source, _scan
from hundredfold.errors import DataError, HundredfoldError

Photos = Callable[..., Path]


@pytest.mark.parametrize(
    ("counts", "where", "said"),
    [
        ({".": 40}, ".", "40 loose images"),
        ({".": 1}, ".", "1 loose image"),
        ({"train": 12}, "train", "12 loose images"),
        ({"train": 7, "test": 3}, "test", "3 loose images"),
        ({"train": 0}, ".", "holds train"),
    ],
)
def test_loose_images_are_counted_where_they_lie(
    photos: Photos, counts: dict[str, int], where: str, said: str
) -> None:
    root = photos(counts)
    with pytest.raises(DataError, match="no training images") as caught:
        _scan.layout(root)
    assert caught.value.found is not None
    assert caught.value.found.startswith(str(root / where))
    assert said in caught.value.found
    assert "one folder of images per class" in str(caught.value.remedy)
    with pytest.raises(HundredfoldError) as checked:
        check(str(root))
    assert checked.value.found == caught.value.found


def test_an_empty_folder_is_still_called_empty(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        _scan.layout(tmp_path)
    assert caught.value.found == f"{tmp_path} is empty"


@pytest.mark.parametrize("name", ["digits", "shapes", "cifar100"])
def test_a_data_set_that_hides_a_folder_says_so_and_how_to_name_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    source: Source,
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert data.locate(name, source) == (name, source)
    assert caplog.text == ""
    (tmp_path / name).mkdir()
    assert data.locate(name, source) == (name, source)
    assert f"./{name}" in caplog.text
    caplog.clear()
    text, found = data.locate(f"./{name}", source)
    assert (text, found.folder) == ("image_folder", Path(name))
    assert caplog.text == ""
