import json

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hundredfold.models import Summary, build, outline, summary
from hundredfold.models._layers import Scale
from hundredfold.spec import names

NETWORKS = [name for name in names("hundredfold.models") if name != "timm"]  # an extra


class Tiny(nn.Module):
    """A network small enough to count by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = Scale()
        self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False)
        self.depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.depthwise(self.conv(self.scale(images))))
        return self.head(self.norm(x).mean((2, 3)))


def counted(text: str, *, classes: int = 10, size: int = 32) -> Summary:
    return summary(outline(text, classes=classes, size=size), size)


def test_a_network_counted_by_hand():
    counts = summary(Tiny(), 8)
    rows = [(row.name, row.output, row.parameters, row.macs) for row in counts.layers]
    assert rows == [
        ("scale", (3, 8, 8), 0, 0),
        ("conv", (4, 4, 4), 108, 4 * 4 * 4 * 27),
        ("depthwise", (4, 4, 4), 40, 4 * 4 * 4 * 9),
        ("norm", (4, 4, 4), 8, 0),
        ("norm", (4, 4, 4), 0, 0),  # its parameters are counted once
        ("head", (5,), 25, 20),
    ]
    assert counts.parameters == 181
    assert counts.macs == 64 * 27 + 64 * 9 + 20
    assert [(stage.output, stage.weights) for stage in counts.stages] == [
        ((3, 8, 8), 0),
        ((4, 4, 4), 2),
        ((5,), 1),
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_multiply_accumulates_agree_with_pytorch_own_counter(name):
    with torch.device("meta"):
        model = build(name, classes=10, size=32, seed=0).eval()
        with FlopCounterMode(display=False) as counter:
            model(torch.empty((1, 3, 32, 32), dtype=torch.uint8))
    assert counter.get_total_flops() == 2 * summary(model, 32).macs


@pytest.mark.parametrize("name", NETWORKS)
def test_rows_and_stages_add_up(name):
    counts = counted(name)
    for rows in (counts.layers, counts.stages):
        assert sum(row.parameters for row in rows) == counts.parameters
        assert sum(row.macs for row in rows) == counts.macs


def test_counting_leaves_the_model_as_it_was():
    model = Tiny()
    model.norm.eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    summary(model, 8)
    assert model.training and not model.norm.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_a_failed_count_leaves_no_hooks():
    model = build("simple_cnn", classes=10, size=32, seed=0)
    with pytest.raises(RuntimeError):
        summary(model, 64)
    assert not any(module._forward_hooks for module in model.modules())
    assert model.training


def test_a_real_and_an_unallocated_network_count_the_same():
    real = summary(build("resnet(depth=20)", classes=10, size=32, seed=0), 32)
    assert real == counted("resnet(depth=20)")


def test_the_summary_is_json():
    counts = counted("resnet(depth=20)")
    read = json.loads(json.dumps(counts.as_json()))
    assert read["parameters"] == 269_722
    assert read["layers"][1]["output"] == [16, 32, 32]
    assert read["diagram"] == counts.diagram


def test_the_diagram_has_a_line_for_each_resolution():
    lines = counted("resnet(depth=20)", classes=100).diagram.splitlines()
    assert len(lines) == 7
    assert all(len(line) <= 80 for line in lines)
    for shape, line in zip(("32 x  32", "16 x  16", "8 x   8", "100"), lines[2:6], strict=True):
        assert shape in line
    assert "275,572" in lines[-1] and "40,556,800" in lines[-1]
