import copy

import pytest
import torch
from torch import nn

from hundredfold import models, recipes
from hundredfold.optim import optimizers
from hundredfold.recipe import Recipe

NAMES = (
    "simple_cnn",
    "resnet(depth=20)",
    'resnet(depth=18, stem="cifar")',
    "wrn(depth=16, width=4)",
    "speednet",
    "speednet(width=0.125)",
)


@pytest.mark.parametrize("name", NAMES)
def test_the_peer_has_as_many_parameters_and_products_as_ours(name):
    import _plain

    ours = Recipe(model=name).model
    plain = nn.Sequential(models.Scale(), _plain.network(ours))
    outline = models.outline(ours, classes=100, size=32)
    for module in outline.modules():
        if isinstance(module, models.Conv2d):
            module.even = False  # the peer computes what its poolings drop
    mine = models.summary(outline, 32)
    theirs = models.summary(plain, 32)
    assert (theirs.parameters, theirs.macs) == (mine.parameters, mine.macs)


def test_a_model_without_a_plain_counterpart_has_none():
    import _plain

    assert _plain.network(Recipe(model="densenet").model) is None


def test_the_peers_muon_takes_the_steps_of_ours():
    import _plain

    recipe = recipes.load("speed-75")
    text = "speednet(width=0.125)"
    one = models.build(text, classes=10, size=16, seed=0)
    other = copy.deepcopy(one)
    chance = torch.Generator().manual_seed(0)
    ours = optimizers.muon(one)
    peers = _plain.optimizers(recipe.optimizer, other)
    for _ in range(3):
        for p, q in zip(one.parameters(), other.parameters(), strict=True):
            if p.requires_grad:
                p.grad = torch.randn(p.shape, generator=chance).to(
                    memory_format=torch.channels_last if p.ndim == 4 else torch.contiguous_format
                )
                q.grad = p.grad.clone()
        ours.step()
        for peer in peers:
            peer.step()
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-4)
