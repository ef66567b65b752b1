"""Networks learn, as well as this task lets them."""

from collections.abc import Callable

import pytest

from hundredfold.run import Run

Train = Callable[..., Run]


def test_a_simple_cnn_learns_shapes_far_beyond_chance(small_run: Train) -> None:
    run = small_run(
        data="shapes(size=20, classes=10, images=60)", epochs=6, optimizer="adam(lr=0.003)"
    )
    assert run.scores["validation.top_1"]["value"] > 0.7, "chance is 0.1"
    assert run.curve[-1]["train.loss"] < 0.5 * run.curve[0]["train.loss"]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_64_images_are_learnt_by_heart(small_run: Train, precision: str) -> None:
    run = small_run(
        limit=64, epochs=25, patience=0, precision=precision, optimizer="adam(lr=0.003)"
    )
    assert run.curve[-1]["train.top_1"] == 1.0
    assert run.info["data"]["train"] == 64
