"""Parameter counts against the papers and the public implementations everyone cites."""

import pytest
import torch

from hundredfold.models import build, summary

# call, classes, size, parameters; the source of the number is behind it
PINNED = [
    ("simple_cnn", 100, 32, 128_420),  # Keras' count for the same layers
    ("resnet(depth=20)", 10, 32, 269_722),  # He et al. 2016, table 6: 0.27 M
    ("resnet(depth=20)", 100, 32, 275_572),
    ("resnet(depth=32)", 10, 32, 464_154),  # 0.46 M
    ("resnet(depth=44)", 10, 32, 658_586),  # 0.66 M
    ("resnet(depth=56)", 10, 32, 853_018),  # 0.85 M
    ("resnet(depth=56)", 100, 32, 858_868),
    ("resnet(depth=110)", 10, 32, 1_727_962),  # 1.7 M
    ("resnet(depth=18)", 100, 32, 11_220_132),  # kuangliu/pytorch-cifar, with 100 classes
    ("resnet(depth=18)", 1000, 224, 11_689_512),  # torchvision, as the next four
    ("resnet(depth=34)", 1000, 224, 21_797_672),
    ("resnet(depth=50)", 1000, 224, 25_557_032),
    ("resnet(depth=101)", 1000, 224, 44_549_160),
    ("resnet(depth=152)", 1000, 224, 60_192_808),
    ("preact_resnet(depth=18)", 10, 32, 11_172_170),  # pytorch-cifar's 11,171,146 + last norm
    ("preact_resnet(depth=110)", 10, 32, 1_727_962),  # as before the change of order
    ("preact_resnet(depth=164)", 10, 32, 1_703_258),  # He et al. 2016b, table 4: 1.7 M
    ("preact_resnet(depth=1001)", 10, 32, 10_327_706),  # 10.3 M; the paper says 10.2 M
    ("wrn(depth=16, width=4)", 100, 32, 2_772_020),  # Zagoruyko & Komodakis 2016: 2.8 M
    ("wrn(depth=28, width=10)", 10, 32, 36_479_194),  # 36.5 M
    ("wrn(depth=28, width=10)", 100, 32, 36_536_884),
    ("wrn(depth=40, width=4)", 10, 32, 8_949_210),  # 8.9 M
    ("densenet(depth=100, growth=12)", 10, 32, 769_162),  # Huang et al. 2017, table 2: 0.8 M
    ("densenet(depth=100, growth=12)", 100, 32, 800_032),
    ("densenet(depth=250)", 10, 32, 15_324_406),  # 15.3 M
    ("densenet(depth=190)", 10, 32, 25_624_430),  # 25.6 M
    ("densenet(depth=121)", 10, 32, 6_956_298),  # pytorch-cifar
    ("densenet(depth=121)", 1000, 224, 7_978_856),  # torchvision, as the next two
    ("densenet(depth=169)", 1000, 224, 14_149_480),
    ("densenet(depth=201)", 1000, 224, 20_013_928),
    ("vgg(depth=16)", 10, 32, 14_991_946),  # geifmany/cifar-vgg (Liu & Deng 2015), trainable
    ("vgg(depth=16, head='pool')", 10, 32, 14_728_266),  # pytorch-cifar
    ("vgg(depth=11, batch_norm=False)", 1000, 224, 132_863_336),  # torchvision, as the rest
    ("vgg(depth=13, batch_norm=False)", 1000, 224, 133_047_848),
    ("vgg(depth=16, batch_norm=False)", 1000, 224, 138_357_544),
    ("vgg(depth=16)", 1000, 224, 138_365_992),
    ("vgg(depth=19, batch_norm=False)", 1000, 224, 143_667_240),
    ("vgg(depth=19)", 1000, 224, 143_678_248),
    ("mobilenet_v2", 1000, 224, 3_504_872),
    ("efficientnet", 1000, 224, 5_288_548),
    ("efficientnet_lite", 1000, 224, 4_652_008),  # timm: 4.65 M
    ("convnext", 1000, 224, 28_589_128),
    ("dinov2", 1000, 224, 22_441_192),  # 22,056,576 - mask_token + head
    ("speednet", 100, 32, 8_608_312),  # added up by hand from the stage table
]


@pytest.mark.parametrize(("text", "classes", "size", "parameters"), PINNED)
def test_parameters_are_the_published_number(
    text: str, classes: int, size: int, parameters: int
) -> None:
    with torch.device("meta"):
        model = build(text, classes=classes, size=size, seed=0)
    assert sum(p.numel() for p in model.parameters()) == parameters


# giga multiply-accumulates at 224 px: torchvision's table of weights ("GFLOPS"), two digits
GIGA_MACS = [
    ("resnet(depth=18)", 1.81),
    ("resnet(depth=34)", 3.66),
    ("resnet(depth=50)", 4.09),
    ("densenet(depth=121)", 2.83),
    ("densenet(depth=169)", 3.36),
    ("densenet(depth=201)", 4.29),
    ("vgg(depth=16, batch_norm=False)", 15.47),
    ("mobilenet_v2", 0.30),
    ("efficientnet", 0.39),
    ("convnext", 4.46),
]


@pytest.mark.parametrize(("text", "giga"), GIGA_MACS)
def test_multiply_accumulates_are_the_published_number(text: str, giga: float) -> None:
    with torch.device("meta"):
        model = build(text, classes=1000, size=224, seed=0)
    assert round(summary(model, 224).macs / 1e9, 2) == giga


def test_speednets_multiply_accumulates_are_those_of_its_stage_table() -> None:
    """Places x filters x channels x kernel, layer by layer; 14 and 6 are what poolings keep."""
    expected = 31**2 * 24 * 3 * 4
    expected += 31**2 * 64 * 24 * 9 + 2 * 15**2 * 64 * 64
    expected += 14**2 * 256 * 64 * 9 + 7**2 * 192 * 256 * 9 + 7**2 * 256 * 192
    expected += 6**2 * 768 * 256 * 4 + 2 * 3**2 * 768 * 512 * 9
    expected += 768 * 100
    with torch.device("meta"):
        model = build("speednet", classes=100, size=32, seed=0)
    assert summary(model, 32).macs == expected == 160_480_032
