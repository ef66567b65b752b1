"""One step: micro-batches, and what they leave as it was."""

import pytest
import torch
from torch import Tensor, nn

from hundredfold.engines.pytorch.learner import Learner
from hundredfold.models import build
from hundredfold.optim import losses, optimizers

COUNT, CLASSES = 10, 4


def _batch() -> tuple[Tensor, Tensor]:
    chance = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (COUNT, 20, 20, 3), generator=chance, dtype=torch.uint8)
    return images.permute(0, 3, 1, 2), torch.eye(CLASSES)[torch.arange(COUNT) % CLASSES]


def _learner(
    model: nn.Module, micro_batch: int, *, average: float = 0.0, lr: float = 0.0
) -> Learner:
    return Learner(
        model,
        optimizers.sgd(model, lr=lr, weight_decay=0.0),
        lambda logits, labels: losses.cross_entropy(logits, labels, label_smoothing=0.1),
        lambda _: 1.0,
        lambda _, size: size,
        precision="fp32",
        micro_batch=micro_batch,
        average=average,
    )


def _step(model: nn.Module, micro_batch: int) -> tuple[Tensor, list[Tensor]]:
    """Do a step that moves nothing; return its sums and the gradients it came to."""
    learner, kept = _learner(model, micro_batch), []
    update = learner.update

    def keep() -> None:
        kept.extend(p.grad.clone() for p in model.parameters())
        update()

    learner.update = keep
    return learner.step(*_batch(), 0.0, 7), kept


def _network(name: str) -> nn.Module:
    return build(name, classes=CLASSES, size=20, seed=0)


@pytest.mark.parametrize("micro_batch", [1, 4, 5, 10, 99])
def test_micro_batches_give_the_gradients_of_the_whole_batch(micro_batch: int) -> None:
    expected, whole = _step(_network("simple_cnn"), 0)
    actual, parts = _step(_network("simple_cnn"), micro_batch)
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=0)
    assert actual[1] == expected[1]
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-6)


def test_batch_norm_sees_a_micro_batch_at_a_time() -> None:
    model = _network("resnet(depth=20)")
    sizes: list[int] = []
    norm = next(m for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    norm.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    _step(model, 4)
    assert sizes == [4, 3, 3]
    assert norm.num_batches_tracked == 3


def test_a_step_starts_from_no_gradient_and_leaves_none() -> None:
    model = _network("simple_cnn")
    _, first = _step(model, 4)
    assert all(p.grad is None for p in model.parameters())
    _, second = _step(model, 4)
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(other, one)


@pytest.mark.parametrize(("decay", "micro_batch"), [(0.999, 0), (0.5, 4)])
def test_averages_of_weights_and_statistics_count_the_first_steps_little(
    decay: float, micro_batch: int
) -> None:
    """The oracle is the written-out mean of what the model was after each step."""
    model = _network("resnet(depth=20)")
    learner = _learner(model, micro_batch, average=decay, lr=0.1)
    expected = {n: t.detach().double().clone() for n, t in model.state_dict().items()}
    for step in range(1, 6):
        learner.step(*_batch(), 0.0, 7)
        weight = 1 - min(decay, (1 + step) / (10 + step))
        for name, tensor in model.state_dict().items():
            expected[name] += weight * (tensor.detach().double() - expected[name])
    norms = {n for n in expected if n.endswith(("running_mean", "running_var"))}
    assert norms
    for name, tensor in learner.weights().items():
        if name.endswith("num_batches_tracked"):
            assert torch.equal(tensor, model.state_dict()[name])
        else:
            torch.testing.assert_close(tensor.double(), expected[name], rtol=1e-4, atol=1e-6)
