import torch

from hundredfold import models


def built(text):
    return models.build(text, classes=10, size=16, seed=0)


def identity_of(weight):
    """How much of the middle of the first filters is the identity."""
    middle = weight[:, :, weight.shape[2] // 2, weight.shape[3] // 2]
    return torch.diagonal(middle)


def test_without_whitening_the_first_filters_are_trained_and_fitting_leaves_them():
    plain, whole = built("speednet(width=0.125, whiten=False)"), built("speednet(width=0.125)")
    assert plain.whiten.weight.requires_grad and not whole.whiten.weight.requires_grad
    before = plain.whiten.weight.detach().clone(), whole.whiten.weight.detach().clone()
    images = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8)
    plain.fit(images)
    whole.fit(images)
    assert torch.equal(plain.whiten.weight, before[0])
    assert not torch.equal(whole.whiten.weight, before[1])
    assert plain.scale.mean.flatten().tolist() != [127.5] * 3


def test_without_dirac_the_filters_begin_at_random():
    whole, plain = built("speednet(width=0.125)"), built("speednet(width=0.125, dirac=False)")
    ones = identity_of(whole.group2.conv2.weight)
    assert torch.equal(ones, torch.ones_like(ones))
    assert not identity_of(plain.group2.conv2.weight).eq(1).any()


def test_without_whitening_the_stem_does_not_begin_as_the_identity():
    stem = built("speednet(width=0.125, whiten=False)").whiten.weight
    assert not identity_of(stem).eq(1).any()


def test_the_options_leave_the_number_of_values():
    counts = {sum(p.numel() for p in built(f"speednet(width=0.125{more})").parameters())
              for more in ("", ", whiten=False", ", dirac=False")}  # fmt: skip
    assert len(counts) == 1
