"""Each family against its paper: the order of layers, the names, the first weights."""

import re
from math import sqrt

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hundredfold.models import build, summary


def images(count: int = 2, size: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator)


def skeleton(text: str, *, classes: int = 1000, size: int = 224) -> nn.Module:
    with torch.device("meta"):
        return build(text, classes=classes, size=size, seed=0)


def weights(text: str, **options: int) -> set[str]:
    """Names of the weights without the scaling, as torchvision would list them."""
    return {k for k in skeleton(text, **options).state_dict() if not k.startswith("scale.")}


def test_simple_cnn_computes_relu_before_pooling_as_it_is_written():
    model = build("simple_cnn", classes=10, size=32, seed=0)
    w = model.state_dict()
    x = (images().float() - 127.5) / 64
    x = F.max_pool2d(F.relu(F.conv2d(x, w["conv1.weight"], w["conv1.bias"])), 2)
    x = F.max_pool2d(F.relu(F.conv2d(x, w["conv2.weight"], w["conv2.bias"])), 2)
    x = F.relu(F.conv2d(x, w["conv3.weight"], w["conv3.bias"]))
    x = F.relu(F.linear(x.flatten(1), w["dense1.weight"], w["dense1.bias"]))
    expected = F.linear(x, w["dense2.weight"], w["dense2.bias"])
    torch.testing.assert_close(model(images()), expected, rtol=1e-4, atol=1e-5)


def test_simple_cnn_has_the_shapes_of_its_table():
    layers = {row.name: row for row in summary(skeleton("simple_cnn", size=32), 32).layers}
    assert layers["conv1"].output == (32, 30, 30)
    assert layers["conv2"].output == (64, 13, 13)
    assert layers["conv3"].output == (64, 4, 4)
    assert layers["dense1"].output == (64,)


def test_simple_cnn_starts_as_keras_does():
    model = build("simple_cnn", classes=100, size=32, seed=0)
    bound = sqrt(6 / (9 * 64 + 9 * 64))
    assert 0.98 * bound < model.conv3.weight.abs().max() <= bound
    assert not model.conv3.bias.any()


def test_resnet_has_torchvision_names():
    names = weights("resnet(depth=18)")
    assert len(names) == 122
    norm = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    assert {k.split(".")[1] for k in names if k.startswith("bn1.")} == norm
    assert {"conv1.weight", "layer1.0.conv1.weight", "layer4.1.bn2.running_var"} <= names
    assert {"layer2.0.downsample.0.weight", "layer2.0.downsample.1.bias", "fc.bias"} <= names
    assert not any("layer1.0.downsample" in k for k in names)
    assert len(weights("resnet(depth=50)")) == 320
    assert "layer1.0.downsample.0.weight" in weights("resnet(depth=50)")


def test_densenet_has_torchvision_names():
    names = weights("densenet(depth=121)")
    assert len(names) == 727
    assert {
        "features.conv0.weight",
        "features.norm0.weight",
        "features.denseblock1.denselayer1.norm1.running_mean",
        "features.denseblock4.denselayer16.conv2.weight",
        "features.transition3.conv.weight",
        "features.norm5.bias",
        "classifier.weight",
    } <= names


def test_vgg_has_torchvision_names():
    plain, norm = weights("vgg(depth=16, batch_norm=False)"), weights("vgg(depth=16)")
    numbers = {int(m[1]) for k in plain if (m := re.match(r"features\.(\d+)\.", k))}
    assert numbers == {0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28}
    assert {int(k.split(".")[1]) for k in plain if k.startswith("classifier")} == {0, 3, 6}
    assert {"features.40.bias", "features.41.running_mean"} <= norm


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("resnet(depth=20)", (64, 8, 8)),
        ("resnet(depth=18)", (512, 4, 4)),
        ("resnet(depth=50, stem='imagenet')", (2048, 1, 1)),
        ("preact_resnet(depth=164)", (256, 8, 8)),
        ("wrn(depth=16, width=4)", (256, 8, 8)),
        ("densenet(depth=100)", (342, 8, 8)),
        ("densenet(depth=121)", (1024, 4, 4)),
        ("vgg", (512, 1, 1)),
    ],
)
def test_the_last_maps_have_the_shape_of_the_table(text, last):
    stages = summary(skeleton(text, size=32), 32).stages
    maps = [layer for layer in summary(skeleton(text, size=32), 32).layers if len(layer.output) > 1]
    assert maps[-1].output == last
    assert stages[-1].output == (1000,)


def test_the_number_of_weighted_layers_is_the_depth():
    for text, depth in [
        ("resnet(depth=20)", 20),
        ("resnet(depth=110)", 110),
        ("preact_resnet(depth=56)", 56),
        ("densenet(depth=100)", 100),
        ("vgg(depth=19, head='imagenet')", 19),
        ("simple_cnn", 5),
    ]:
        layers = summary(skeleton(text, size=32), 32).layers
        assert sum(row.macs > 0 for row in layers) == depth, text


@pytest.mark.parametrize("text", ["resnet(depth=18)", "wrn(depth=16, width=2)", "densenet"])
def test_convolutions_start_as_he_et_al(text):
    model = build(text, classes=10, size=32, seed=0)
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 10_000:
            fan_out = module.out_channels * module.kernel_size[0] ** 2
            assert module.weight.std().item() == pytest.approx(sqrt(2 / fan_out), rel=0.05)


def test_a_residual_block_adds_its_input():
    block = build("resnet(depth=20)", classes=10, size=32, seed=0).eval().layer1[0]
    nn.init.zeros_(block.bn2.weight)
    x = torch.randn(2, 16, 8, 8).relu()
    torch.testing.assert_close(block(x), x)


def test_preact_and_wide_blocks_keep_the_input_unchanged_when_they_add_nothing():
    preact = build("preact_resnet(depth=20)", classes=10, size=32, seed=0).eval()
    wide = build("wrn(depth=10, width=1)", classes=10, size=32, seed=0).eval()
    for block in (preact.groups.layer1[0], wide.group1[0]):
        nn.init.zeros_(block.conv2.weight)
        x = torch.randn(2, 16, 8, 8)
        torch.testing.assert_close(block(x), x)


def test_a_dense_layer_passes_its_input_on():
    block = build("densenet(depth=16)", classes=10, size=32, seed=0)
    layer = block.eval().features.denseblock1.denselayer1
    x = torch.randn(2, 24, 8, 8)
    y = layer(x)
    assert y.shape == (2, 36, 8, 8)
    assert torch.equal(y[:, :24], x)


def test_growth_follows_the_depth_unless_it_is_named():
    for text, growth in [
        ("densenet", 12),
        ("densenet(depth=190)", 40),
        ("densenet(depth=250)", 24),
        ("densenet(depth=169)", 32),
        ("densenet(depth=40, growth=7)", 7),
    ]:
        features = skeleton(text, size=32).features
        assert features.denseblock1.denselayer1.conv2.out_channels == growth


def test_heads_of_vgg_follow_the_size_unless_they_are_named():
    hidden = {
        ("vgg", 32): [512, 10],
        ("vgg", 64): [512, 10],
        ("vgg", 224): [4096, 4096, 10],
        ("vgg(head='pool')", 32): [10],
        ("vgg(head='imagenet')", 32): [4096, 4096, 10],
    }
    for (text, size), widths in hidden.items():
        model = skeleton(text, classes=10, size=size)
        assert [m.out_features for m in model.modules() if isinstance(m, nn.Linear)] == widths
