"""One training in several processes ends with the weights of one process, but for rounding.

Each rank of a test is a thread with a model of its own; they are connected as processes are.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, nn

from hundredfold.compute.process_group import ProcessGroup
from hundredfold.engines.pytorch.learner import Learner
from hundredfold.engines.pytorch.shared import SharedLearner
from hundredfold.models import build
from hundredfold.optim import Optimizer, losses, optimizers

STEPS, CLASSES = 50, 4
PLAIN, NORMALISED = 1e-5, 1e-3  # of a tensor's largest value
WRN = "wrn(depth=10, width=1)"
CPU = torch.device("cpu")


def _in_ranks(world: int, work: Callable[[ProcessGroup], Any]) -> list[Any]:
    """Return what each rank returns."""
    store = distributed.HashStore()

    def rank_of(rank: int) -> Any:
        group = ProcessGroup(store, rank, world, CPU)
        try:
            return work(group)
        finally:
            group.close()

    with ThreadPoolExecutor(world) as threads:
        running = [threads.submit(rank_of, rank) for rank in range(world)]
        return [future.result(timeout=900) for future in running]


def _batches(count: int, steps: int = STEPS) -> Iterator[tuple[Tensor, Tensor]]:
    chance = torch.Generator().manual_seed(1)
    for _ in range(steps):
        images = torch.randint(0, 256, (count, 18, 18, 3), generator=chance, dtype=torch.uint8)
        labels = torch.randint(0, CLASSES, (count,), generator=chance)
        yield images.permute(0, 3, 1, 2), torch.eye(CLASSES)[labels]


def _sgd(model: nn.Module) -> Optimizer:
    return optimizers.sgd(model, lr=0.001, momentum=0.0, nesterov=False)


def _learner(
    model: str | nn.Module,
    micro_batch: int,
    kind: type[Learner],
    optimizer: Callable[[nn.Module], Optimizer],
) -> Any:
    network = build(model, classes=CLASSES, size=18, seed=0) if isinstance(model, str) else model
    return kind(
        network,
        optimizer(network),
        losses.cross_entropy,
        lambda _: 1.0,
        lambda _, size: size,
        precision="fp32",
        micro_batch=micro_batch,
    )


def _trained(
    model: str,
    world: int,
    *,
    batch: int = 12,
    micro_batch: int = 0,
    optimizer: Callable[[nn.Module], Optimizer] = _sgd,
    steps: int = STEPS,
) -> list[dict[str, Tensor]]:
    """Return the state after some steps, in every rank; a world of 0 is one that is not shared."""
    if not world:
        alone = _learner(model, micro_batch, Learner, optimizer)
        for key, pair in enumerate(_batches(batch, steps)):
            alone.step(*pair, 0.0, key)
        return [alone.model.state_dict()]

    learners = [_learner(model, micro_batch, SharedLearner, optimizer) for _ in range(world)]

    def work(group: ProcessGroup) -> dict[str, Tensor]:
        learner = learners[group.rank]
        learner.join(group)
        for key, pair in enumerate(_batches(batch, steps)):
            learner.step(*pair, 0.0, key)
        return dict(learner.model.state_dict())

    return _in_ranks(world, work)


def _distance(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Return the largest difference, relative to the largest value of its tensor."""
    return max(
        float((other[name].double() - tensor.double()).abs().max())
        / max(float(tensor.double().abs().max()), 1e-12)
        for name, tensor in one.items()
    )


CASES = {
    "uneven": ("simple_cnn", 13, 0, PLAIN),
    "dropout": ("simple_cnn(dropout=0.3)", 12, 0, PLAIN),
    "dropout, whole micro-batches": ("simple_cnn(dropout=0.3)", 16, 4, 0.0),
    "dropout, fewer micro-batches than ranks": ("simple_cnn(dropout=0.3)", 13, 7, PLAIN),
    "BatchNorm over the batch": (WRN, 26, 0, NORMALISED),
    "BatchNorm over whole micro-batches": (WRN, 18, 4, 0.0),
    "BatchNorm over divided micro-batches": (WRN, 24, 12, NORMALISED),
}


@pytest.mark.parametrize("case", CASES)
def test_the_number_of_processes_changes_rounding_only(case: str) -> None:
    model, batch, micro_batch, limit = CASES[case]
    (alone,) = _trained(model, 0, batch=batch, micro_batch=micro_batch)
    for world in (1, 2, 4):
        ranks = _trained(model, world, batch=batch, micro_batch=micro_batch)
        assert _distance(alone, ranks[0]) <= limit
        for other in ranks[1:]:
            assert all(torch.equal(other[name], tensor) for name, tensor in ranks[0].items())
