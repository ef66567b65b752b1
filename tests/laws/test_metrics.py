"""Laws that every metric keeps, and every table where they apply."""

from typing import Any

import numpy as np
import pytest

from hundredfold.errors import CheckError, DataError, UsageError
from hundredfold.metrics import Score, default
from hundredfold.spec import Call, constants, describe, names, resolve

PACKAGE = "hundredfold.metrics"
METRICS = names(PACKAGE)
GROUPS = (0, 0, 1, 1, 2, 2)


def example(n: int = 240, classes: int = 6, seed: int = 0) -> tuple[Any, Any]:
    """Return logits that are right about two times in three, and labels of every class."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    logits = generator.normal(size=(n, classes))
    logits[np.arange(n), labels] += 2.0
    return logits, labels


def score(
    name: str, logits: Any, labels: Any, superclass_of: Any = GROUPS, **options: Any
) -> Score:
    given = {"logits": logits, "labels": labels, "superclass_of": superclass_of}
    handed = describe(name, PACKAGE).handed
    found = resolve(str(Call(name, options)), PACKAGE)(**{key: given[key] for key in handed})
    assert isinstance(found, Score)
    return found


def classes(name: str) -> int:
    """Return the number of classes of examples: six where a metric is of any number."""
    return int(constants(name, PACKAGE).get("CLASSES", 6))


def best(name: str) -> int:
    return int(constants(name, PACKAGE)["BEST"])


def assert_same(one: Score, other: Score) -> None:
    assert one.n == other.n
    got, wanted = (one.value, one.low, one.high), (other.value, other.low, other.high)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-9)


@pytest.fixture(params=METRICS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_metric_is_given_only_what_the_program_hands_over(name: str) -> None:
    assert set(describe(name, PACKAGE).handed) <= {"logits", "labels", "superclass_of"}


def test_a_metric_says_what_others_need(name: str) -> None:
    said = constants(name, PACKAGE)
    assert said["TITLE"] == said["TITLE"].strip() and 0 < len(said["TITLE"]) <= 40
    assert said["FORMAT"] in ("percent", "number")
    assert said["BEST"] in (0, 1)
    assert said["RANGE"][0] <= said["BEST"] <= (said["RANGE"][1] or np.inf)
    assert isinstance(said["ORDER"], int)


def test_what_is_printed_in_percent_ends_at_one(name: str) -> None:
    said = constants(name, PACKAGE)
    assert said["FORMAT"] == "number" or said["RANGE"] == (0, 1)


def test_the_value_and_its_interval_stay_within_the_range(name: str) -> None:
    least, most = constants(name, PACKAGE)["RANGE"]
    logits, labels = example(classes=classes(name))
    for factor in (-100.0, -1.0, 1.0, 100.0):
        found = score(name, factor * logits, labels)
        assert least <= found.low
        assert most is None or found.high <= most


def test_scores_of_one_name_come_from_one_metric() -> None:
    listed = [n for m in METRICS for n in constants(m, PACKAGE).get("SCORES", (m,))]
    assert len(listed) == len(set(listed)) == len(default())


def test_titles_are_told_apart() -> None:
    assert len({metric.title for metric in default().values()}) == len(default())


def test_perfect_logits_reach_the_best_value(name: str) -> None:
    labels = np.arange(60) % classes(name)
    found = score(name, 50.0 * np.eye(classes(name))[labels], labels)
    assert found.value == pytest.approx(best(name), abs=1e-12)


def test_worse_logits_are_worse(name: str) -> None:
    logits, labels = example(classes=classes(name))
    good, bad = score(name, logits * 2, labels), score(name, -logits * 2, labels)
    assert (good.value > bad.value) == (best(name) == 1)
    assert abs(good.value - best(name)) < abs(bad.value - best(name))


def test_the_value_lies_within_its_interval(name: str) -> None:
    for seed in range(5):
        found = score(name, *example(seed=seed, classes=classes(name)))
        assert found.low <= found.value <= found.high
        assert found.low < found.high


def test_more_images_narrow_the_interval(name: str) -> None:
    few, many = (
        score(name, *example(n=120, classes=classes(name))),
        score(name, *example(n=4800, classes=classes(name))),
    )
    assert many.high - many.low < few.high - few.low


def test_n_is_the_number_of_images(name: str) -> None:
    assert score(name, *example(n=77, classes=classes(name))).n == 77


def test_the_order_of_images_changes_nothing(name: str) -> None:
    logits, labels = example(classes=classes(name))
    order = np.random.default_rng(1).permutation(len(labels))
    assert_same(score(name, logits, labels), score(name, logits[order], labels[order]))


def test_the_order_of_classes_changes_nothing(name: str) -> None:
    logits, labels = example(classes=classes(name))
    order = np.random.default_rng(1).permutation(classes(name))
    groups = np.array(GROUPS)[order]
    moved = score(name, logits[:, order], np.argsort(order)[labels], groups)
    assert_same(score(name, logits, labels), moved)


def test_a_constant_added_to_an_images_logits_changes_nothing(name: str) -> None:
    logits, labels = example(classes=classes(name))
    constant = np.random.default_rng(1).normal(size=(len(labels), 1))
    assert_same(score(name, logits, labels), score(name, logits + constant, labels))


def test_scoring_twice_gives_the_same_bits_and_leaves_the_input_alone(name: str) -> None:
    logits, labels = example(classes=classes(name))
    kept = logits.copy(), labels.copy()
    assert score(name, logits, labels) == score(name, logits, labels)
    np.testing.assert_array_equal(logits, kept[0])
    np.testing.assert_array_equal(labels, kept[1])


def test_two_classes_work(name: str) -> None:
    found = score(name, *example(50, 2), superclass_of=(0, 1))
    assert found.low <= found.value <= found.high


def test_one_image_works(name: str) -> None:
    found = score(name, *example(n=1, classes=classes(name)))
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_narrow_floats_score_as_their_float64_copies(name: str, dtype: type) -> None:
    logits, labels = example(classes=classes(name))
    narrow = logits.astype(dtype)
    found = score(name, narrow, labels.astype(np.uint8))
    assert found == score(name, narrow.astype(np.float64), labels)


def test_large_logits_stay_finite(name: str) -> None:
    logits, labels = example(classes=classes(name))
    for factor in (1e4, -1e4):
        found = score(name, logits * factor, labels)
        assert np.isfinite([found.value, found.low, found.high]).all()


def test_read_only_input_works(name: str) -> None:
    logits, labels = example(classes=classes(name))
    logits.setflags(write=False)
    labels.setflags(write=False)
    score(name, logits, labels)


def test_no_images_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="no images"):
        score(name, np.zeros((0, classes(name))), np.zeros(0, dtype=np.int64))


def test_logits_that_are_not_finite_are_refused(name: str) -> None:
    logits, labels = example(classes=classes(name))
    logits[3, 1] = np.nan
    with pytest.raises(CheckError, match="1 of 240 images"):
        score(name, logits, labels)


def test_a_label_that_is_no_class_is_refused(name: str) -> None:
    logits, labels = example(classes=classes(name))
    for wrong in (classes(name), -1):
        labels[0] = wrong
        with pytest.raises(DataError, match=f"outside the {classes(name)} classes"):
            score(name, logits, labels)


def test_logits_and_labels_of_other_lengths_are_refused(name: str) -> None:
    logits, labels = example(classes=classes(name))
    with pytest.raises(DataError, match="do not fit"):
        score(name, logits[:-1], labels)


def test_an_unknown_option_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no option"):
        score(name, *example(classes=classes(name)), no_such_option=1)


@pytest.mark.parametrize("table", names("hundredfold.metrics.tables"))
def test_the_order_of_images_changes_no_table(table: str) -> None:
    tables = "hundredfold.metrics.tables"
    logits, labels = example(classes=constants(table, tables).get("CLASSES", 6))
    order = np.random.default_rng(1).permutation(len(labels))
    compute = resolve(table, tables)
    one, other = compute(logits, labels), compute(logits[order], labels[order])
    for a, b in zip(_arrays(one), _arrays(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-8)


def _arrays(table: Any) -> list[Any]:
    return list(vars(table).values()) if hasattr(table, "__dataclass_fields__") else [table]
