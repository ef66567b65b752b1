"""The gallery of mistakes: pictures at the quality of their files, with their names."""

import base64
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hundredfold.data import Source, load
from hundredfold.reports.exhibits.mistakes import EXPLAINED, mistakes
from hundredfold.reports.pictures import heat
from hundredfold.reports.run_evidence import RunEvidence
from hundredfold.run import Run


def folder_of_photos(root: Path) -> Path:
    rng = np.random.default_rng(0)
    for label in ("cats", "dogs"):
        for part, count in (("train", 10), ("test", 6)):
            (root / part / label).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (90, 150, 3), np.uint8)
                Image.fromarray(pixels).save(root / part / label / f"my {number}.png")
    return root


def test_mistakes_show_the_files_and_their_names(tmp_path: Path, build: Callable[..., Run]) -> None:
    root = folder_of_photos(tmp_path / "photos")
    source = Source(folder=root, cache=tmp_path / "cache", offline=True)
    data = load("image_folder(size=16)", source)

    def wrong(labels: np.ndarray, *_: object) -> np.ndarray:
        return (9.0 * (1 - np.eye(2)[labels])).astype(np.float32)

    run = build(tmp_path / "run", data, splits=("test",), logits=wrong)
    recipe = run.folder / "recipe.toml"
    recipe.write_text(recipe.read_text().replace('"photos"', '"image_folder(size=16)"'))
    body = mistakes(RunEvidence(run, source)).body
    assert body.count("<img") == 12
    for number in range(6):
        assert f"test/cats/my {number}.png" in body
    first = body.partition("base64,")[2].partition('"')[0]
    with Image.open(io.BytesIO(base64.b64decode(first))) as image:
        assert image.size == (150, 90), "not the 16 pixels of training"
    info = run.info
    for digest in ({"digest": "0" * 64}, {"digest": ""}, {}):
        data_of = {key: value for key, value in info["data"].items() if key != "digest"} | digest
        run.save_info(info | {"data": data_of})
        body = mistakes(RunEvidence(run, source)).body
        assert "<img" not in body
        assert "are not those the run was trained on" in body
    run.save_info(info)
    (root / "test/cats/my 0.png").unlink()
    assert "not those that were scored" in mistakes(RunEvidence(run, source)).body


def test_rows_without_files_have_names(tmp_path: Path) -> None:
    split = load("shapes(images=3)", Source(cache=tmp_path)).parts["test"]()
    assert split.files("test")[:2] == ["test/0", "test/1"]


def test_the_first_mistakes_show_what_mattered_in_them(digits_run: Run, source: Source) -> None:
    asked: list[tuple[tuple[int, ...], int]] = []

    def explain(
        images: Sequence[NDArray[np.uint8]], labels: Sequence[int]
    ) -> list[NDArray[np.float64]]:
        asked.extend((image.shape, label) for image, label in zip(images, labels, strict=True))
        return [np.eye(4), -np.ones((4, 4))]  # the time allowed two maps

    plain = mistakes(RunEvidence(digits_run, source)).body
    body = mistakes(RunEvidence(digits_run, source, explain)).body
    assert len(asked) == EXPLAINED
    assert body.count("<img") == plain.count("<img") + 2
    assert "What mattered for" in body and "occlusion" in body
    assert "occlusion" not in plain


def test_a_map_is_bright_only_where_a_place_mattered() -> None:
    falls = np.zeros((4, 4))
    falls[0, 3] = 2.0
    shown = heat(np.full((32, 32, 3), 128, np.uint8), falls)
    assert shown.shape == (160, 160, 3)
    assert shown[0, -1].tolist() == [181, 125, 74]  # 58 % of grey and 42 % of orange
    assert shown[-1, 0].tolist() == [49, 49, 49]  # 38 % of grey
