"""A process that has some images of a micro-batch draws what one with all of them draws."""

import pytest
import torch
from torch import Tensor, nn

from hundredfold.compute.dropout import Dropout
from hundredfold.compute.portions import divide
from hundredfold.compute.random_rows import need_by_index, rows_of
from hundredfold.errors import UsageError

COUNT = 7
LAYERS = {
    "dropout": Dropout(0.4),
    "torch's dropout": nn.Dropout(0.4),
    "dropout of channels": nn.Dropout2d(0.4),
    "alpha dropout": nn.AlphaDropout(0.4),
}


def _images(rows: int) -> Tensor:
    chance = torch.Generator().manual_seed(0)
    images = torch.randn(COUNT * rows, 5, 4, 4, generator=chance, dtype=torch.float64)
    return images.contiguous(memory_format=torch.channels_last)


def _seeded(network: nn.Module, x: Tensor) -> Tensor:
    torch.default_generator.manual_seed(3)
    result: Tensor = network(x)
    return result


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("name", LAYERS)
def test_rows_of_an_image_are_those_of_the_whole_micro_batch(name: str, rows: int) -> None:
    """rows: of each image, such as windows, which lie side by side."""
    network = nn.Sequential(LAYERS[name], nn.Identity())
    images = _images(rows)
    whole = _seeded(network, images)
    parts = []
    for (portion,) in divide(COUNT, 1, 3, together=True).portions:
        own = images[portion.before * rows : (portion.before + portion.images) * rows]
        with rows_of(network, portion):
            parts.append(_seeded(network, own))
    assert torch.equal(torch.cat(parts), whole)
    assert not torch.equal(whole, images)


def test_gradients_pass_to_the_rows_alone() -> None:
    network = nn.Sequential(nn.Dropout(0.4))
    images = _images(1)
    _, (portion,), _ = divide(COUNT, 1, 3, together=True).portions
    own = images[portion.before : portion.before + portion.images].requires_grad_()
    with rows_of(network, portion):
        y = _seeded(network, own)
    y.sum().backward()
    assert own.grad is not None
    assert torch.allclose(own.grad, (y / own).detach())


def test_a_layer_that_draws_by_value_is_refused() -> None:
    """RReLU draws for negative values only: how many depends on the images before."""
    network = nn.Sequential(nn.Flatten(), nn.RReLU())
    with pytest.raises(UsageError, match="RReLU cannot be divided"):
        need_by_index(network)
    need_by_index(network.eval())


def test_in_inference_nothing_is_drawn() -> None:
    network = nn.Sequential(nn.Dropout(0.4)).eval()
    (portion,), *_ = divide(COUNT, 1, 3, together=True).portions
    images = _images(1)[: portion.images]
    with rows_of(network, portion):
        assert torch.equal(network(images), images)
    assert "forward" not in vars(network[0])
