"""One training in several processes ends with the weights of one process, but for rounding.

In float64 rounding stays below 1e-12, so a wrong weight, order or statistic shows. In float32 a
ReLU within rounding of its kink is on in one training and off in the other, which 50 steps
amplify. Each rank of a test is a thread with a model of its own; they are connected as processes
are. They share torch's default generator, so what draws from it is tested in `test_devices`.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, nn

from hundredfold.compute import norms
from hundredfold.compute.process_group import ProcessGroup
from hundredfold.engines.pytorch.learner import Learner
from hundredfold.engines.pytorch.orders import Ended, Follower, Leader, Order
from hundredfold.engines.pytorch.shared import SharedLearner
from hundredfold.errors import UsageError
from hundredfold.models import build
from hundredfold.models._layers import Scale
from hundredfold.optim import Optimizer, _muon, losses, optimizers

CLASSES, SIZE, PATIENCE = 4, 18, 900  # seconds: a machine may be busy
WORLDS = (1, 2, 4)
EXACT, PLAIN, NORMALISED = 1e-9, 1e-5, 1e-3  # of a tensor's largest value
WRN = "wrn(depth=10, width=1)"
CPU = torch.device("cpu")

Update = Callable[[nn.Module], Optimizer]


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
        return [future.result(timeout=PATIENCE) for future in running]


def _batches(count: int, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    chance = torch.Generator().manual_seed(1)
    for _ in range(steps):
        images = torch.randint(0, 256, (count, SIZE, SIZE, 3), generator=chance, dtype=torch.uint8)
        labels = torch.randint(0, CLASSES, (count,), generator=chance)
        yield images.permute(0, 3, 1, 2), torch.eye(CLASSES)[labels]


def _fast(model: nn.Module) -> Optimizer:
    return optimizers.sgd(model, lr=0.1, momentum=0.9)


def _slow(model: nn.Module) -> Optimizer:
    return optimizers.sgd(model, lr=0.001, momentum=0.0, nesterov=False)


def _smooth() -> nn.Module:
    """Return a network with BatchNorm whose function has no kink."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [Scale()]
        for inputs, outputs in ((3, 16), (16, 16), (16, 16)):
            conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            layers += [conv, nn.BatchNorm2d(outputs), nn.SiLU()]
        head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, CLASSES)
        return norms.protect(nn.Sequential(*layers, *head))


def _learner(
    model: str | Callable[[], nn.Module],
    micro_batch: int,
    kind: type[Learner],
    optimizer: Update,
    dtype: torch.dtype = torch.float64,
) -> Any:
    network = model() if callable(model) else build(model, classes=CLASSES, size=SIZE, seed=0)
    network = network.to(dtype)
    return _in_dtype(kind)(
        network,
        optimizer(network),
        losses.cross_entropy,
        lambda _: 1.0,
        lambda _, size: size,
        precision="fp32",
        micro_batch=micro_batch,
    )


def _in_dtype(kind: type[Learner]) -> type[Learner]:
    """Return the kind of learner with a loss in the dtype of the model."""

    class InDtype(kind):  # type: ignore[misc, valid-type]
        def _loss_and_correct(
            self, model: nn.Module, images: Tensor, targets: Tensor
        ) -> tuple[Tensor, Tensor]:
            logits = model(images)
            correct = (logits.detach().argmax(1) == targets.argmax(1)).sum()
            return self.loss(logits, targets.to(logits.dtype)), correct

    return InDtype


def _trained(
    model: str | Callable[[], nn.Module],
    world: int,
    *,
    batch: int,
    micro_batch: int = 0,
    optimizer: Update = _fast,
    steps: int = 6,
    dtype: torch.dtype = torch.float64,
) -> list[dict[str, Tensor]]:
    """Return the state after some steps, in every rank; a world of 0 is one that is not shared."""
    given = micro_batch, SharedLearner if world else Learner, optimizer, dtype
    learners = [_learner(model, *given) for _ in range(world or 1)]

    def train(learner: Learner) -> dict[str, Tensor]:
        for key, pair in enumerate(_batches(batch, steps)):
            learner.step(*pair, 0.0, key)
        return dict(learner.model.state_dict())

    def work(group: ProcessGroup) -> dict[str, Tensor]:
        learners[group.rank].join(group)
        return train(learners[group.rank])

    return _in_ranks(world, work) if world else [train(learners[0])]


def _distance(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Return the largest difference, relative to the largest value of its tensor."""
    return max(
        float((other[name].double() - tensor.double()).abs().max())
        / max(float(tensor.double().abs().max()), 1e-12)
        for name, tensor in one.items()
    )


def _agree(limit: float, model: str | Callable[[], nn.Module], **options: Any) -> None:
    (alone,) = _trained(model, 0, **options)
    for world in WORLDS:
        ranks = _trained(model, world, **options)
        assert _distance(alone, ranks[0]) <= limit
        for other in ranks[1:]:
            assert all(torch.equal(other[name], tensor) for name, tensor in ranks[0].items())


CASES = {
    "uneven": ("simple_cnn", 13, 0),
    "dropout": ("simple_cnn(dropout=0.3)", 12, 0),
    "dropout, fewer micro-batches than ranks": ("simple_cnn(dropout=0.3)", 13, 7),
    "BatchNorm over the batch": (WRN, 26, 0),
    "BatchNorm over divided micro-batches": (WRN, 24, 12),
    "BatchNorm with pooling and an activation of its own": ("speednet(width=0.125)", 16, 0),
}


@pytest.mark.parametrize("case", CASES)
def test_the_number_of_processes_changes_rounding_only(case: str) -> None:
    model, batch, micro_batch = CASES[case]
    _agree(EXACT, model, batch=batch, micro_batch=micro_batch)


@pytest.mark.parametrize("model", ["simple_cnn(dropout=0.3)", WRN])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_whole_micro_batches_give_equal_bits(model: str, dtype: torch.dtype) -> None:
    _agree(0.0, model, batch=18, micro_batch=4, dtype=dtype)


def test_50_steps_in_float32_stay_near() -> None:
    _agree(PLAIN, "simple_cnn", batch=13, optimizer=_slow, steps=50, dtype=torch.float32)


@pytest.mark.parametrize("optimizer", [_slow, _fast])
def test_50_steps_with_batchnorm_in_float32_stay_near_where_the_network_has_no_kinks(
    optimizer: Update,
) -> None:
    _agree(NORMALISED, _smooth, batch=26, optimizer=optimizer, steps=50, dtype=torch.float32)


def test_processes_divide_the_work_of_muon(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: dict[str, int] = {}
    orthogonal, lock = _muon.orthogonal, threading.Lock()

    def counted(matrices: Tensor, steps: int) -> Tensor:
        with lock:
            name = threading.current_thread().name
            computed[name] = computed.get(name, 0) + len(matrices)
        return orthogonal(matrices, steps)

    monkeypatch.setattr(_muon, "orthogonal", counted)
    options: Any = {"batch": 12, "micro_batch": 6, "optimizer": optimizers.muon, "steps": 2}
    (alone,) = _trained(WRN, 0, **options)
    (whole,) = computed.values()
    computed.clear()
    ranks = _trained(WRN, 2, **options)
    assert _distance(alone, ranks[0]) <= EXACT
    assert sum(computed.values()) == whole
    assert len(computed) == 2


def test_a_matrix_goes_to_the_process_with_the_least_work() -> None:
    assert _muon.divide_by_cost([5.0, 1.0, 4.0, 1.0, 9.0], 2) == [[1, 4], [0, 2, 3]]
    assert _muon.divide_by_cost([1.0], 3) == [[0], [], []]


@pytest.mark.parametrize("short", [0, 1])
def test_too_little_memory_in_one_process_halves_the_micro_batch_of_all(short: int) -> None:
    """As in one process that begins with the half."""
    (expected,) = _trained("simple_cnn", 0, batch=16, micro_batch=4, steps=2)
    kinds = Leader, Follower
    learners = [_learner("simple_cnn", 8, kind, _fast) for kind in kinds]
    own, failures = learners[short]._own_gradients, [MemoryError("no room")]

    def fails_once(*given: Any) -> Tensor:
        if failures:
            raise failures.pop()
        result: Tensor = own(*given)
        return result

    learners[short]._own_gradients = fails_once

    def lead(leader: Any) -> None:
        for key, pair in enumerate(_batches(16, 2)):
            leader.step(*pair, 0.0, key)
        leader.end()

    def follow(follower: Any) -> None:
        batches = _batches(16, 2)
        while True:
            try:
                message = follower.hear()
            except Ended:
                return
            if message.order == Order.STATE:
                follower.load(follower.group.tensors({}))
            else:
                follower.follow_step(next(batches), message)

    def work(group: ProcessGroup) -> dict[str, Tensor]:
        learner = learners[group.rank]
        learner.join(group)
        (follow if group.rank else lead)(learner)
        return dict(learner.model.state_dict())

    for state in _in_ranks(2, work):
        assert _distance(expected, state) == 0
    assert [learner.micro_batch for learner in learners] == [4, 4]


def test_a_batchnorm_that_cannot_be_synchronised_is_refused() -> None:
    class Own(nn.BatchNorm2d):
        pass

    network = nn.Sequential(Scale(), Own(3), nn.Flatten(), nn.Linear(3 * SIZE**2, CLASSES))
    learner = _learner(lambda: network, 0, SharedLearner, _fast)
    with pytest.raises(UsageError, match="the statistics of Own cannot be synchronised"):
        learner.division(16, 2)


def test_processes_need_a_gpu_each_or_none() -> None:
    """No GPU is here: a group stops before it would use one."""
    store = distributed.HashStore()

    def join(rank: int) -> None:
        device = torch.device("cuda", 0) if rank else CPU
        with pytest.raises(UsageError, match="1 of 2 processes have a GPU"):
            ProcessGroup(store, rank, 2, device)

    with ThreadPoolExecutor(2) as threads:
        for future in [threads.submit(join, rank) for rank in range(2)]:
            future.result(timeout=PATIENCE)
