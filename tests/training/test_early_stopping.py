"""Which epoch is the best, and when there is no use in going on."""

import torch

from hundredfold.training.early_stopping import Best


def _run(best: Best, losses: list[float], top_1: list[float] | None = None) -> list[int]:
    """Show the rows of a curve one by one and return the epochs that became the best."""
    taken = []
    for epoch, loss in enumerate(losses, 1):
        row = {"epoch": epoch, "validation.loss": loss, "validation.top_1": (top_1 or losses)[epoch - 1]}  # noqa: E501  # fmt: skip
        if best.better(row):
            best.take(row, {"epoch": torch.tensor(epoch)})
            taken.append(epoch)
        if best.exhausted(epoch):
            break
    return taken


def test_a_lower_loss_is_better() -> None:
    assert _run(Best("validation.loss", 0), [3.0, 2.0, 2.5, 1.0]) == [1, 2, 4]


def test_a_higher_accuracy_is_better_whatever_the_loss() -> None:
    best = Best("validation.top_1", 0)
    assert _run(best, [1.0, 5.0, 9.0, 0.1], [0.2, 0.3, 0.25, 0.4]) == [1, 2, 4]
    assert best.value == 0.4


def test_a_tie_is_not_better() -> None:
    assert _run(Best("validation.loss", 0), [1.0, 1.0, 1.0]) == [1]
    assert _run(Best("validation.top_1", 0), [1, 1, 1], [0.5, 0.5, 0.5]) == [1]


def test_the_last_is_always_the_best_where_the_last_is_asked_for() -> None:
    best = Best("last", 2)
    assert _run(best, [1.0, 2.0, 3.0, 4.0]) == [1, 2, 3, 4]
    assert not best.exhausted(4)


def test_the_first_epoch_is_the_best_so_far_even_at_an_accuracy_of_0() -> None:
    assert _run(Best("validation.top_1", 0), [9.0], [0.0]) == [1]


def test_patience_counts_epochs_since_the_best() -> None:
    best = Best("validation.loss", 3)
    _run(best, [2.0, 1.0, 1.1, 1.2])
    assert not best.exhausted(4)
    assert best.exhausted(5)


def test_without_patience_training_goes_on() -> None:
    best = Best("validation.loss", 0)
    _run(best, [1.0] + [2.0] * 50)
    assert not best.exhausted(51)


def test_the_weights_are_those_of_the_best_epoch() -> None:
    best = Best("validation.loss", 0)
    _run(best, [3.0, 1.0, 2.0])
    assert best.epoch == 2
    assert int(best.weights["epoch"]) == 2
