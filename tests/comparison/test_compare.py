"""Verdicts over seeds, with SciPy and worked examples as oracles."""

import json

import numpy as np
import pytest
from scipy import stats

from hundredfold.comparison import ENOUGH_SEEDS, compare
from hundredfold.errors import DataError, UsageError

FIRST = {0: 0.801, 1: 0.805, 2: 0.803, 3: 0.799}
SECOND = {0: 0.781, 1: 0.786, 2: 0.782, 3: 0.783}


def the_pair(values, **options):
    (pair,) = compare(values, **{"words": "top-1 accuracy", **options}).pairs
    return pair


def wrong(places, n=1000):
    images = np.ones(n, dtype=bool)
    images[places] = False
    return images


def test_a_system_has_mean_deviation_and_interval():
    (system, _) = compare({"wrn": FIRST, "resnet": SECOND}).systems
    given = list(FIRST.values())
    assert (system.label, system.n) == ("wrn", 4)
    assert system.mean == pytest.approx(np.mean(given))
    assert system.sd == pytest.approx(np.std(given, ddof=1))
    wanted = stats.t.interval(0.95, 3, np.mean(given), stats.sem(given))
    assert (system.low, system.high) == pytest.approx(wanted)


@pytest.mark.parametrize(("least", "most"), [(0, 1), (0, None), (0, 2), (0.3, 0.7)])
def test_the_interval_of_a_mean_ends_where_the_metric_does(least, most):
    given = [0.3, 0.7, 0.31]
    (system,) = compare({"a": dict(enumerate(given))}, within=(least, most)).systems
    low, high = stats.t.interval(0.95, 2, np.mean(given), stats.sem(given))
    assert system.low == pytest.approx(max(low, least))
    assert system.high == pytest.approx(high if most is None else min(high, most))


def test_one_seed_has_no_deviation_and_no_interval():
    (system,) = compare({"wrn": {0: 0.8}}).systems
    assert (system.mean, system.sd, system.low, system.high) == (0.8, None, None, None)


def test_the_best_comes_first_whichever_way_is_better():
    values = {"a": {0: 0.2}, "b": {0: 0.9}, "c": {0: 0.5}}
    assert [s.label for s in compare(values).systems] == ["b", "c", "a"]
    loss = compare(values, metric="loss", higher_is_better=False, percent=False)
    assert [s.label for s in loss.systems] == ["a", "c", "b"]
    assert [(p.first, p.second) for p in loss.against_best()] == [("a", "c"), ("a", "b")]


def test_a_clear_difference_over_enough_seeds_is_better():
    pair = the_pair({"resnet": SECOND, "wrn": FIRST})
    wanted = stats.ttest_rel(list(FIRST.values()), list(SECOND.values()))
    interval = wanted.confidence_interval(0.95)
    assert (pair.first, pair.verdict, pair.basis, pair.seeds) == ("wrn", "better", "seeds", 4)
    assert (pair.low, pair.high) == pytest.approx((interval.low, interval.high))
    assert pair.p == pair.p_holm == pytest.approx(wanted.pvalue)
    assert pair.sentence == (
        "wrn is better than resnet on top-1 accuracy by 1.90 points "
        "(95 % interval 1.56 to 2.24 from 4 seeds, p = 0.0004)."
    )


def test_only_common_seeds_are_paired():
    pair = the_pair({"wrn": FIRST | {7: 0.1, 8: 0.2}, "resnet": SECOND | {9: 0.0}})
    assert pair.seeds == 4
    assert abs(pair.difference) == pytest.approx(0.019)


def test_a_lower_loss_is_better():
    values = {"a": {0: 0.30, 1: 0.31, 2: 0.33}, "b": {0: 0.50, 1: 0.49, 2: 0.53}}
    pair = the_pair(values, words="loss", higher_is_better=False, percent=False)
    assert (pair.first, pair.verdict, pair.leads) == ("a", "better", 3)
    assert pair.difference == pytest.approx(-0.58 / 3)
    assert "a is better than b on loss by 0.1933" in pair.sentence
    assert "interval 0.1646 to 0.222" in pair.sentence


def test_a_better_mean_may_be_worse_on_the_common_seeds():
    pair = the_pair({"a": {0: 0.10, 1: 0.11, 2: 0.12, 3: 0.9}, "b": {0: 0.2, 1: 0.21, 2: 0.221}})
    assert (pair.first, pair.verdict, pair.trails) == ("a", "worse", 3)
    assert "a is worse than b on top-1 accuracy by 10.03 points" in pair.sentence


def test_an_interval_that_holds_0_is_not_distinguishable():
    pair = the_pair({"a": {0: 0.80, 1: 0.82, 2: 0.79}, "b": {0: 0.79, 1: 0.81, 2: 0.815}})
    assert pair.verdict == "not distinguishable"
    assert pair.low < 0 < pair.high
    assert "not distinguishable on top-1 accuracy" in pair.sentence


def test_a_system_is_not_distinguishable_from_itself():
    pair = the_pair({"a": FIRST, "b": dict(FIRST)})
    assert (pair.verdict, pair.difference, pair.p) == ("not distinguishable", 0, 1)


@pytest.mark.parametrize("seeds", range(1, ENOUGH_SEEDS))
def test_a_few_seeds_are_never_enough_for_better(seeds):
    values = {"a": {s: 0.9 + s / 1e6 for s in range(seeds)}, "b": dict.fromkeys(range(seeds), 0.1)}
    pair = the_pair(values)
    assert pair.verdict == "ahead"
    assert f"on {seeds} seed" in pair.sentence
    assert "not enough seeds" in pair.sentence


def test_two_seeds_that_disagree_are_not_distinguishable():
    pair = the_pair({"a": {0: 0.9, 1: 0.5}, "b": {0: 0.6, 1: 0.6}})
    assert (pair.verdict, pair.leads, pair.trails) == ("not distinguishable", 1, 1)
    assert "not enough seeds" in pair.sentence


def test_one_seed_can_be_paired_over_images():
    a, b = wrong(range(10)), wrong(range(5, 60))
    pair = the_pair({"a": {3: a.mean()}, "b": {3: b.mean()}}, images={"a": {3: a}, "b": {3: b}})
    assert (pair.basis, pair.verdict) == ("images", "ahead")
    assert pair.p == pytest.approx(stats.binomtest(5, 55).pvalue)
    assert pair.low < pair.difference < pair.high
    assert "the images of 1 seed" in pair.sentence
    assert "not enough seeds to say more" in pair.sentence


def test_one_seed_with_few_differing_images_is_not_distinguishable():
    a, b = wrong(range(10)), wrong(range(4, 18))
    pair = the_pair({"a": {3: a.mean()}, "b": {3: b.mean()}}, images={"a": {3: a}, "b": {3: b}})
    assert pair.verdict == "not distinguishable"


def test_with_several_seeds_images_play_no_part():
    images = {"wrn": {0: wrong([])}, "resnet": {0: wrong(range(900))}}
    pair = the_pair({"wrn": FIRST, "resnet": SECOND}, images=images)
    assert pair == the_pair({"wrn": FIRST, "resnet": SECOND})


def test_without_a_common_seed_nothing_is_said():
    pair = the_pair({"a": {0: 0.9, 1: 0.9, 2: 0.9}, "b": {5: 0.1, 6: 0.1, 7: 0.1}})
    assert (pair.verdict, pair.p, pair.low) == ("no common seed", None, None)
    assert "same seeds" in pair.sentence


def test_many_pairs_ask_more_of_each():
    generator = np.random.default_rng(0)
    close = {"a": {0: 0.500, 1: 0.505, 2: 0.52}, "b": {0: 0.490, 1: 0.489, 2: 0.504}}
    assert the_pair(close).verdict == "better"
    others = {f"c{i}": dict(enumerate(generator.normal(0.4, 0.05, 3))) for i in range(8)}
    found = compare(close | others)
    pair = next(p for p in found.pairs if {p.first, p.second} == {"a", "b"})
    assert pair.verdict == "not distinguishable"
    assert pair.p < 0.05 <= pair.p_holm
    assert "the interval alone excludes 0" in pair.sentence
    assert "over 45 pairs" in pair.sentence


def test_equal_systems_are_rarely_called_different():
    generator, called = np.random.default_rng(0), 0
    for _ in range(400):
        values = {x: dict(enumerate(generator.normal(0.7, 0.01, 4))) for x in "abcd"}
        called += any(p.verdict in ("better", "worse") for p in compare(values).pairs)
    assert called / 400 <= 0.07


def test_every_sentence_names_both_systems_and_the_metric():
    systems = {"wrn": FIRST, "resnet": SECOND, "cnn": {0: 0.5}, "vgg": {0: 0.8, 1: 0.7}}
    found = compare(systems, words="top-1 accuracy")
    for pair in found.pairs:
        assert pair.first in pair.sentence
        assert pair.second in pair.sentence
        assert "top-1" in pair.sentence
        assert pair.sentence.endswith(".")


def test_a_comparison_is_json():
    found = compare({"wrn": FIRST, "resnet": SECOND, "cnn": {0: 0.5}})
    stored = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert [system["label"] for system in stored["systems"]] == ["wrn", "resnet", "cnn"]
    assert stored["pairs"][0]["sentence"] == found.pairs[0].sentence
    assert stored["systems"][2]["sd"] is None


def test_a_value_that_is_not_finite_is_named():
    with pytest.raises(DataError, match="'b' with seed 4"):
        compare({"a": {0: 0.1}, "b": {4: float("nan")}})


def test_a_system_without_runs_is_named():
    with pytest.raises(UsageError, match="'b' has no finished run"):
        compare({"a": {0: 0.1}, "b": {}})


def test_images_of_other_splits_are_refused():
    images = {"a": {0: wrong([])}, "b": {0: wrong([], n=50)}}
    with pytest.raises(DataError, match="1000 and 50 images"):
        compare({"a": {0: 1.0}, "b": {0: 1.0}}, images=images)
