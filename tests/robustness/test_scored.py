"""Scores of corrupted and unlike images: what is written, of which images, and what is refused."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from hundredfold import data, evaluation, robustness
from hundredfold.data import Source
from hundredfold.engines import engine_for
from hundredfold.errors import DataError
from hundredfold.robustness import CORRUPTIONS, STRENGTHS, corrupted
from hundredfold.run import Run

Train = Callable[..., Run]


class _Stub:
    """Predict by the brightness of an image, so that the scores are known."""

    def __init__(self, like: Run) -> None:
        self.size = engine_for(like.recipe).open(like, torch.device("cpu")).size
        self.resize, self.classes = "stretch", like.info["data"]["classes"]
        self.seen: list[np.ndarray] = []

    def logits(self, pixels: np.ndarray, rows: np.ndarray) -> np.ndarray:
        images = pixels[rows]
        self.seen.append(images)
        level = images.mean(axis=(1, 2, 3))[:, None] / 255
        return (-np.abs(level * len(self.classes) - np.arange(len(self.classes)))).astype("f4")


@pytest.fixture
def scored(small_run: Train) -> Run:
    run = small_run()
    evaluation.evaluate(run, "test", Source(), _open(run))
    return run


def _open(run: Run) -> Callable[[], object]:
    return partial(engine_for(run.recipe).open, run, torch.device("cpu"))


def _stored(run: Run, name: str) -> dict[str, object]:
    stored: dict[str, object] = json.loads((run.folder / f"{name}.json").read_text())
    return stored


def test_corruptions_are_scored_on_the_same_images_at_five_strengths(scored: Run) -> None:
    stub = _Stub(scored)
    found = robustness.corruptions(scored, "test", Source(), lambda: stub)
    assert found == _stored(scored, "corruptions") == scored.stored("corruptions")
    part = data.load(scored.recipe.data, Source()).parts["test"]()
    n = len(part)
    assert (found["n"], found["images"], found["split"]) == (n, n, "test")
    assert set(found["corruptions"]) == set(CORRUPTIONS)
    pixels, labels = part.pixels[part.indices], part.labels[part.indices]

    def right(images: np.ndarray) -> float:
        got = _Stub(scored).logits(images, np.arange(len(images))).argmax(1)
        return float((got == labels).mean())

    assert found["undisturbed"]["value"] == right(pixels)
    for name, scores in found["corruptions"].items():
        assert len(scores) == STRENGTHS
        wanted = right(corrupted(name, pixels, part.indices, 3))
        assert scores[2]["value"] == wanted
        assert scores[2]["low"] <= wanted <= scores[2]["high"]
    assert found["weights"] == scored.scored("test")["weights"]


def test_of_many_images_those_at_even_distances_are_taken(
    scored: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hundredfold.robustness._corruptions.MOST", 3)
    stub = _Stub(scored)
    found = robustness.corruptions(scored, "test", Source(), lambda: stub)
    part = data.load(scored.recipe.data, Source()).parts["test"]()
    assert (found["n"], found["images"]) == (3, len(part))
    middle = round((len(part) - 1) / 2)
    np.testing.assert_array_equal(stub.seen[0], part.pixels[part.indices[[0, middle, -1]]])


def test_unlike_images_are_told_apart_as_the_scores_of_both_say(scored: Run) -> None:
    found = robustness.unlike(scored, "test", Source(), _open(scored))
    assert found == _stored(scored, "unlike") == scored.stored("unlike")
    kinds = {kind["name"]: kind for kind in found["kinds"]}
    own = str(scored.recipe.data).partition("(")[0]
    assert {"noise", "textures"} <= set(kinds)
    assert own not in kinds, "its own data are no other kind"
    for kind in kinds.values():
        area = kind["auroc"]
        assert 0 <= area["low"] <= area["value"] <= area["high"] <= 1
        assert area["n"] == kind["n"] + found["n"]
    again = robustness.unlike(scored, "test", Source(), _open(scored))
    assert again["kinds"] == found["kinds"], "nothing is drawn anew"


def test_unlike_images_need_scores_to_compare_with(small_run: Train) -> None:
    run = small_run()
    with pytest.raises(DataError, match="has no scores of test"):
        robustness.unlike(run, "test", Source(), _open(run))
    assert not (run.folder / "unlike.json").exists()


def test_what_is_of_other_images_is_refused(scored: Run, tmp_path: Path) -> None:
    info = scored.info
    turned = info["data"] | {"classes": info["data"]["classes"][::-1]}
    scored.save_info(info | {"data": turned})
    with pytest.raises(DataError, match="classes"):
        robustness.corruptions(scored, "test", Source(), _open(scored))
    assert not (scored.folder / "corruptions.json").exists()


def test_both_go_with_the_scores(scored: Run) -> None:
    for name in ("corruptions", "unlike"):
        (scored.folder / f"{name}.json").write_text("{}")
    scored.delete_scores()
    assert scored.stored("corruptions") == scored.stored("unlike") == {}
