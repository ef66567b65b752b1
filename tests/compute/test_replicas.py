"""Replicas: the same sums to the last bit, whichever thread computes a micro-batch and when."""

import gc
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from hundredfold.compute import replicas
from hundredfold.compute.replicas import WorkSplit, can_replicate, split_work
from hundredfold.compute.threads import threads
from hundredfold.engines.pytorch.learner import Learner
from hundredfold.models import build
from hundredfold.optim import losses, optimizers, resolutions

COUNT, CLASSES, SIZE, MICRO_BATCH = 22, 4, 20, 4
NETWORKS = (
    "simple_cnn(dropout=0.5)",
    "speednet(width=0.125)",
    "wrn(depth=10, width=1, dropout=0.3)",
    "convnext(width=8)",
)


def _batch(number: int = 0) -> tuple[Tensor, Tensor]:
    chance = torch.Generator().manual_seed(number)
    images = torch.randint(0, 256, (COUNT, SIZE, SIZE, 3), generator=chance, dtype=torch.uint8)
    return images.permute(0, 3, 1, 2), torch.eye(CLASSES)[torch.arange(COUNT) % CLASSES]


def _learner(text: str, precision: str = "fp32", *, sequential: bool = False) -> Learner:
    network = build(text, classes=CLASSES, size=SIZE, seed=0)
    parts = optimizers.adam(network), losses.cross_entropy, lambda _: 1.0, resolutions.full
    return Learner(
        network, *parts, precision=precision, micro_batch=MICRO_BATCH, sequential=sequential
    )


def _trained(learner: Learner, count: int) -> dict[str, Tensor]:
    """Run three steps and return the state afterwards."""
    with threads(count):
        sums = [learner.step(*_batch(number), 0.0, 1000 * number) for number in range(3)]
    return {"sums": torch.stack(sums)} | learner.tensors()


def _same(actual: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert actual.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(actual[name], tensor), name


@pytest.fixture
def delayed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], float]], list[int]]:
    """Delay micro-batches by a function of their index; record the threads."""
    compute = replicas._Replica.compute

    def hold(seconds: Callable[[int], float]) -> list[int]:
        computing: list[int] = []

        def delayed(
            self: replicas._Replica,
            loss_fn: replicas.LossFn,
            pair: replicas.Pair,
            weight: float,
            key: int,
            portion: replicas.Portion,
        ) -> replicas.Result:
            computing.append(threading.get_ident())
            time.sleep(seconds(key % 1000))
            return compute(self, loss_fn, pair, weight, key, portion)

        monkeypatch.setattr(replicas._Replica, "compute", delayed)
        return computing

    return hold


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("network", NETWORKS)
def test_threads_do_not_change_the_last_bit(network: str, precision: str) -> None:
    expected = _trained(_learner(network, precision), 1)
    for count in (2, 5):
        _same(_trained(_learner(network, precision), count), expected)


@pytest.mark.parametrize("slow", [0, 1, 5])
def test_the_order_of_completion_does_not_change_the_last_bit(
    slow: int, delayed: Callable[[Callable[[int], float]], list[int]]
) -> None:
    expected = _trained(_learner("speednet(width=0.125)"), 2)
    delayed(lambda number: 0.1 if number == slow else 0.0)
    _same(_trained(_learner("speednet(width=0.125)"), 2), expected)


def test_a_thread_that_is_delayed_computes_fewer_micro_batches(
    delayed: Callable[[Callable[[int], float]], list[int]],
) -> None:
    computing = delayed(lambda number: 1.0 if number == 0 else 0.0)
    with threads(2):
        _learner("speednet(width=0.125)").gradients(*_batch())
    assert sorted(Counter(computing).values()) == [1, 5]


def test_concurrent_micro_batches_equal_sequential_ones() -> None:
    concurrent, expected = (_learner("speednet(width=0.125)", sequential=s) for s in (False, True))
    with threads(2):
        sums = [learner.gradients(*_batch()) for learner in (concurrent, expected)]
    torch.testing.assert_close(*sums)
    pairs = zip(concurrent.model.parameters(), expected.model.parameters(), strict=True)
    for one, other in pairs:
        assert (one.grad is None) == (other.grad is None)
        if one.grad is not None and other.grad is not None:
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-6)
    for name, tensor in expected.model.state_dict().items():
        torch.testing.assert_close(concurrent.model.state_dict()[name], tensor)
    norm = next(m for m in concurrent.model.modules() if isinstance(m, nn.BatchNorm2d))
    assert norm.num_batches_tracked == 6
    assert norm.momentum == 0.1


def test_a_gradient_lies_in_memory_as_its_parameter_does() -> None:
    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.rand(2, 3))

        def forward(self, x: Tensor) -> Tensor:
            return x @ self.weight.T.contiguous()

    def loss_fn(model: nn.Module, *pair: Tensor) -> tuple[Tensor, Tensor]:
        return (model(pair[0]) * pair[1]).sum(), torch.tensor(1)

    model, x, y = Turned(), torch.rand(8, 3), torch.rand(8, 2)
    actual = replicas.ReplicaPool(model, loss_fn).gradients([(x[:4], y[:4]), (x[4:], y[4:])], 0)
    assert float(actual[1]) == 2
    assert model.weight.grad is not None
    assert model.weight.grad.stride() == model.weight.stride()
    torch.testing.assert_close(model.weight.grad, y.T @ x / 2)


def test_each_micro_batch_drops_other_units_and_the_key_decides_which() -> None:
    learner = _learner("simple_cnn(dropout=0.5)")
    images, targets = (t[:1].expand(8, *t.shape[1:]) for t in _batch())
    losses_of = []
    loss_fn = learner._loss_fn

    def note(model: nn.Module, *pair: Tensor) -> tuple[Tensor, Tensor]:
        actual = loss_fn(model, *pair)
        losses_of.append(float(actual[0].detach()))
        return actual

    learner._replicas = replicas.ReplicaPool(learner.model, note)
    for key in (3, 3, 9):
        learner.gradients(images.contiguous(), targets.contiguous(), key)
    first, second, again, other, new, _ = losses_of
    assert len({first, second, new}) == 3, "two micro-batches, and another key"
    assert {again, other} == {first, second}


def test_an_error_of_a_micro_batch_ends_the_step_and_frees_its_memory() -> None:
    learner = _learner("speednet(width=0.125)")
    expected = _trained(_learner("speednet(width=0.125)"), 2)
    loss_fn, held = learner._loss_fn, []

    def fail(*_: object) -> tuple[Tensor, Tensor]:
        large = torch.zeros(9)
        held.append(weakref.ref(large))
        raise RuntimeError("out of memory")

    gc.disable()
    try:
        learner._replicas._loss_fn = fail
        with threads(2), pytest.raises(RuntimeError, match="out of memory"):
            learner.gradients(*_batch())
        assert len(held) > 1
        assert [ref() for ref in held] == [None] * len(held)
    finally:
        gc.enable()
    learner._replicas._loss_fn = loss_fn
    learner.optimizer.zero_grad()
    _same(_trained(learner, 2), expected)


def test_each_worker_has_its_part_of_the_threads_which_are_restored() -> None:
    learner, seen = _learner("simple_cnn"), []
    loss_fn = learner._loss_fn

    def look(model: nn.Module, *pair: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(torch.get_num_threads())
        return loss_fn(model, *pair)

    learner._replicas = replicas.ReplicaPool(learner.model, look)
    images, targets = _batch()
    with threads(5):
        learner.gradients(images[:8], targets[:8])
        assert torch.get_num_threads() == 5
        new: list[int] = []
        thread = threading.Thread(target=lambda: new.append(torch.get_num_threads()))
        thread.start()
        thread.join()
    assert seen == [2, 2], "two micro-batches by five threads"
    assert new == [5]


@pytest.mark.parametrize(
    ("network", "batch", "micro_batch", "count", "expected"),
    [
        ("simple_cnn", 128, 0, 2, WorkSplit(64, 2, 1)),
        ("simple_cnn", 127, 0, 2, WorkSplit(127, 1, 2)),
        ("simple_cnn", 1024, 0, 8, WorkSplit(256, 4, 2)),
        ("simple_cnn", 128, 32, 2, WorkSplit(32, 2, 1)),
        ("resnet(depth=20)", 128, 0, 2, WorkSplit(128, 1, 2)),
        ("speednet", 1024, 256, 3, WorkSplit(256, 3, 1)),
        ("speednet", 100, 256, 2, WorkSplit(100, 1, 2)),
    ],
)
def test_how_a_batch_is_split(
    network: str, batch: int, micro_batch: int, count: int, expected: WorkSplit
) -> None:
    model = build(network, classes=CLASSES, size=32, seed=0)
    with threads(count):
        assert split_work(model, batch, micro_batch) == expected
        sequential = WorkSplit(min(micro_batch or batch, batch), 1, count)
        assert split_work(model, batch, micro_batch, sequential=True) == sequential


def test_layers_that_share_a_generator_or_update_unknown_statistics_are_not_replicated() -> None:
    dense = nn.Linear(3, 2)

    class Own(nn.Module):
        pass

    assert can_replicate(nn.Sequential(dense, nn.BatchNorm1d(2)))
    for layer in (nn.Dropout(0.1), nn.BatchNorm1d(2, momentum=None), Own()):
        assert not can_replicate(nn.Sequential(dense, layer))
        assert can_replicate(nn.Sequential(dense, layer).eval())
    assert not can_replicate(nn.Sequential(dense).to("meta"))
