"""What a trial of bf16 chooses, and which trials are cached."""

import json
from pathlib import Path

import pytest

from hundredfold.compute import bf16
from hundredfold.compute.trials import Trial


def choose(
    cache: Path, product: float | Trial, step: Trial | None, **options: float
) -> tuple[str, str]:
    def steps() -> Trial:
        return step if step is not None else pytest.fail("a step was tried")

    products = product if isinstance(product, Trial) else Trial(product, agreed=True)
    return bf16.choose(cache, ["a", 1], lambda: products, steps, **options)


def cached(cache: Path) -> bool:
    """Say whether the next choice needs no trial."""
    return "measured before" in choose(cache, 1.0, Trial(1.0, agreed=False))[1]


@pytest.mark.parametrize(("ratio", "chosen"), [(2.0, "bf16"), (1.0, "fp32"), (0.6, "fp32")])
def test_bf16_is_taken_only_where_it_is_worth_it_and_the_trial_is_cached(
    tmp_path: Path, ratio: float, chosen: str
) -> None:
    first = choose(tmp_path, 1.2, Trial(ratio, agreed=True))
    assert first == (chosen, f"a bf16 step is {ratio:.2f} times as fast here, measured now")
    again = choose(tmp_path, 1.2, None) if cached(tmp_path) else ("", "")
    assert again == (chosen, first[1].replace("now", "before"))


@pytest.mark.parametrize(
    ("product", "ratio", "agreed", "chosen", "reason"),
    [
        (1.2, 0.7, False, "fp32", "disagree"),
        (1.2, 1.9, False, "bf16", "disagree"),
        (1.2, 30.0, True, "bf16", "implausible"),
        (1.2, 0.01, True, "fp32", "implausible"),
        (8.0, 0.04, True, "fp32", "matrix products are 8.00 times as fast"),
        (0.6, 3.0, True, "bf16", "matrix products are 0.60 times as fast"),
    ],
)
def test_an_unreliable_trial_is_used_once_and_not_cached(
    tmp_path: Path, product: float, ratio: float, agreed: bool, chosen: str, reason: str
) -> None:
    actual, why = choose(tmp_path, product, Trial(ratio, agreed))
    assert actual == chosen
    assert "not cached" in why and reason in why
    assert not cached(tmp_path)


def test_no_step_is_tried_where_products_in_bf16_are_emulated(tmp_path: Path) -> None:
    assert choose(tmp_path / "a", 0.3, None)[0] == "fp32"
    assert choose(tmp_path / "b", 0.9, Trial(1.5, agreed=True))[0] == "bf16"
    assert choose(tmp_path / "c", 0.9, None, emulated_below=1.0)[0] == "fp32"
    assert cached(tmp_path / "a")


def test_products_that_disagree_do_not_save_the_step(tmp_path: Path) -> None:
    assert choose(tmp_path, Trial(0.3, agreed=False), Trial(1.5, agreed=True))[0] == "bf16"


def test_a_damaged_note_is_measured_again(tmp_path: Path) -> None:
    choose(tmp_path, 1.2, Trial(2.0, agreed=True))
    (note,) = (tmp_path / "precision").iterdir()
    for damage in ("{", note.read_text().replace("2.0", "3.0"), json.dumps({"value": 7})):
        note.write_text(damage)
        assert not cached(tmp_path)


def test_a_cache_that_cannot_be_written_still_gives_a_choice(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    assert choose(tmp_path / "cache", 1.2, Trial(2.0, agreed=True))[0] == "bf16"
