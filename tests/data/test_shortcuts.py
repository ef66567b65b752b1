"""Shortcuts and drift: planted ones are found, chance is not."""

import numpy as np
import pytest
from scipy import stats

from hundredfold.data._repeats import Image
from hundredfold.data._shortcuts import _distance, advice, drift, shortcuts

CLASSES = ("cat", "dog", "owl")


def images(seed: int, count: int = 300, part: str = "train", **shift: float) -> list[Image]:
    """Return images whose properties tell nothing, but what `shift` adds for class "cat"."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        label = CLASSES[rng.integers(3)]
        png = 0.9 if label == "cat" and shift.get("png") else 0.3
        measures: dict[str, float | str] = {
            "brightness": rng.normal(120, 30) + shift.get("brightness", 0) * (label == "cat"),
            "pixels": float(rng.choice([1000.0, 2000.0, 4000.0])),
            "file type": ".png" if rng.random() < png else ".jpg",
        }
        made.append(Image(part, label, f"{number}", measures=measures))
    return made


@pytest.mark.parametrize(("planted", "name"), [("brightness", "brightness"), ("png", "file type")])
def test_a_property_that_tells_the_class_is_found(planted: str, name: str) -> None:
    facts = shortcuts(images(0, **{planted: 90.0}))
    assert [fact["property"] for fact in facts if fact["predicts"]] == [name]
    assert facts[0]["balanced_accuracy"] > 0.5
    assert any(f"the {name} alone predicts the class" in text for text in advice(facts, []))


def test_chance_is_no_shortcut_and_no_drift() -> None:
    """Forty data sets without either: at most one false finding."""
    found = differing = 0
    exceeded = []
    for seed in range(40):
        train, test = images(seed), images(1000 + seed, 150, "test")
        facts = shortcuts(train)
        found += any(fact["predicts"] for fact in facts)
        exceeded += [fact["balanced_accuracy"] > fact["limit"] for fact in facts]
        differing += any(fact["differs"] for fact in drift([*train, *test]))
    assert found <= 1 and differing <= 1
    assert np.mean(exceeded) < 0.03, "the limit is about 3 standard deviations"


def test_one_image_of_each_class_and_no_images_give_no_finding() -> None:
    assert shortcuts([]) == [] and drift([]) == []
    assert shortcuts(images(0, 3)) == []


def test_a_part_of_brighter_pictures_is_found() -> None:
    train, test = images(0), images(1, 200, "test")
    bright = [
        Image(i.part, i.label, i.name, measures=dict(i.measures) | {"brightness": 200.0})
        for i in test
    ]
    facts = drift([*train, *bright])
    assert [fact["property"] for fact in facts if fact["differs"]] == ["brightness"]
    assert advice([], facts) == [
        "the train and test parts differ in brightness: their scores may differ for it"
    ]


@pytest.mark.parametrize("move", [0.0, 0.3, 1.0])
def test_the_distance_is_that_of_kolmogorov_and_smirnov(move: float) -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, 200), rng.normal(move, 1, 150)
    distance, p = _distance(a, b)
    oracle = stats.ks_2samp(a, b, method="asymp")
    assert distance == pytest.approx(oracle.statistic, abs=1e-9)
    assert p == pytest.approx(oracle.pvalue, rel=0.2, abs=1e-4)


def test_a_common_value_has_a_bin_of_its_own() -> None:
    """Pictures of one size in one class, of any size in the other."""
    rng = np.random.default_rng(0)
    made = [
        Image("train", "a" if k % 2 else "b", f"{k}",
              measures={"pixels": 224.0 if k % 2 else float(rng.integers(100, 400))})
        for k in range(200)
    ]  # fmt: skip
    (fact,) = shortcuts(made)
    assert fact["predicts"] and fact["balanced_accuracy"] > 0.95
