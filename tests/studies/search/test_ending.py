"""What a search says at its end, on comparisons with known figures."""

import pytest

from hundredfold.comparison import compare
from hundredfold.studies.search.ending import judged


def ended(tuned: list[float], untuned: list[float], search: float) -> list[str]:
    values = {"tuned": dict(enumerate(tuned)), "untuned": dict(enumerate(untuned))}
    ending = judged(compare(values, metric="validation.top_1"), 7, search)
    assert ending.winner == 7 and ending.search == search
    return [ending.verdict, *ending.sentences]


def test_a_winner_that_is_better_says_by_how_much() -> None:
    verdict, optimism, said = ended([0.82, 0.818, 0.822], [0.80, 0.80, 0.80], 0.831)
    assert verdict == "better"
    assert optimism == (
        "The search said 83.1 %, fresh seeds say 82.0 %: the search's score was 1.1 points too "
        "good."
    )
    assert said == (
        "Tuned is better than untuned: +2.0 points (95 % interval +1.5 to +2.5), 3 fresh seeds "
        "each."
    )


def test_a_winner_by_luck_is_worse_or_not_distinguishable() -> None:
    verdict, _, said = ended([0.78, 0.781, 0.782], [0.80, 0.801, 0.8021], 0.83)
    assert verdict == "worse" and said.startswith("Tuned is worse than untuned: -2.0 points")
    verdict, optimism, said = ended([0.80, 0.82, 0.78], [0.79, 0.80, 0.81], 0.81)
    assert verdict == "not distinguishable"
    assert said.startswith("Tuned and untuned are not distinguishable: they differ by +0.0 points")
    assert "which another seed alone can change (± 9.9)" in optimism


def test_one_seed_never_says_better() -> None:
    verdict, optimism, said = ended([0.9], [0.5], 0.95)
    assert verdict == "not distinguishable"
    assert said.endswith("1 fresh seed each; that is too few seeds to tell.")
    assert optimism.endswith("5.0 points too good, by one seed.")


def test_a_recipe_that_wins_its_own_search_is_said_to() -> None:
    comparison = compare({"untuned": {0: 0.8, 1: 0.81, 2: 0.79}}, metric="validation.top_1")
    ending = judged(comparison, 0, 0.8)
    assert ending.verdict == "untuned"
    assert ending.sentences[-1] == "The search found no better recipe than the untuned one."
    assert ending.low == pytest.approx(0.775, abs=0.001)
