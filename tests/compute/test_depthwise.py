"""Depthwise convolutions by every algorithm, against PyTorch's in float64, padded by hand."""

import copy
import itertools
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hundredfold.compute import conv_depthwise
from hundredfold.compute.conv_algorithms import ALGORITHMS, likely
from hundredfold.compute.conv_library import Pads
from hundredfold.compute.convolution import Algorithms, Conv2d
from hundredfold.engines.pytorch import network as engine
from hundredfold.models import build
from hundredfold.models.mobilenet_v2 import Convolution
from hundredfold.recipe import Recipe

CHANNELS = 32  # a multiple of 16, for which oneDNN has depthwise kernels


class Padded(Conv2d):
    """A depthwise convolution with zeros of its own on each side."""

    def __init__(self, kernel: tuple[int, int], stride: tuple[int, int], pads: Pads) -> None:
        super().__init__(CHANNELS, CHANNELS, kernel, stride, groups=CHANNELS)
        self._own = pads

    def pads(self, height: int, width: int) -> Pads:  # noqa: ARG002
        return self._own


class Case(NamedTuple):
    """A kernel, a stride, zeros on the left, right, top and bottom, and an image's size."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pads: Pads
    size: tuple[int, int]


def _square(kernel: int, stride: int, size: int) -> Case:
    reach = kernel // 2
    return Case((kernel, kernel), (stride, stride), (reach,) * 4, (size, size))


CASES = [
    *(_square(*three) for three in itertools.product((1, 2, 3, 4, 5, 7), (1, 2, 3), (6, 7))),
    *(_square(kernel, 2, size) for kernel, size in itertools.product((3, 5, 7), (1, 2, 3, 13))),
    *(_square(kernel, 1, size) for kernel, size in itertools.product((5, 7), (1, 2, 3, 13))),
    Case((3, 3), (2, 2), (0, 1, 0, 1), (8, 8)),  # TensorFlow's "same"
    Case((5, 5), (2, 2), (1, 2, 1, 2), (8, 10)),
    Case((5, 5), (2, 2), (2, 1, 1, 2), (9, 8)),
    Case((5, 5), (1, 1), (0, 4, 4, 0), (6, 7)),
    Case((5, 5), (2, 2), (0, 0, 0, 0), (8, 9)),
    Case((5, 3), (1, 2), (1, 1, 2, 2), (7, 9)),
    Case((3, 5), (2, 1), (2, 2, 1, 1), (7, 9)),
    Case((1, 7), (1, 1), (3, 3, 0, 0), (5, 8)),
    Case((7, 1), (2, 2), (0, 0, 3, 3), (9, 8)),
    Case((2, 6), (3, 2), (3, 1, 0, 1), (9, 11)),
    Case((3, 3), (4, 5), (1, 1, 1, 1), (11, 13)),  # pixels that no window meets
    Case((3, 3), (2, 2), (4, 5, 3, 6), (4, 5)),  # windows that lie outside the image
    Case((1, 1), (2, 2), (1, 2, 2, 0), (5, 4)),
]
CHOICES = {name: Algorithms(name, name, name) for name in ALGORITHMS}
cases = pytest.mark.parametrize("case", CASES, ids=str)


class Sums(NamedTuple):
    """The output and the gradients of input, weight and bias."""

    output: Tensor
    of_x: Tensor
    of_weight: Tensor
    of_bias: Tensor


def _drawn(case: Case) -> tuple[Padded, Tensor, Tensor]:
    """Return a layer, an input and a gradient of the output, all of them exact in bf16."""
    torch.manual_seed(0)
    module = Padded(*case[:3]).to(memory_format=torch.channels_last)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(parameter.bfloat16())
    x = torch.randn(3, CHANNELS, *case.size).bfloat16().float()
    back = torch.randn(_expected(case, x, module, None).output.shape).bfloat16().float()
    return module, x.to(memory_format=torch.channels_last), back


def _expected(case: Case, x: Tensor, module: nn.Module, back: Tensor | None) -> Sums:
    x, weight, bias = (
        t.detach().double().requires_grad_() for t in (x, module.weight, module.bias)
    )
    y = F.conv2d(F.pad(x, case.pads), weight, bias, case.stride, groups=CHANNELS)
    y.backward(torch.zeros_like(y) if back is None else back.double())
    return Sums(y.detach(), x.grad, weight.grad, bias.grad)


def _actual(x: Tensor, module: nn.Module, back: Tensor) -> Sums:
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    y = module(x)
    y.backward(back.to(y.dtype))
    return Sums(y.detach(), x.grad, module.weight.grad, module.bias.grad)


def _sizes(case: Case, x: Tensor, module: nn.Module, back: Tensor) -> Sums:
    """Return the sums of the terms' magnitudes."""
    module = copy.deepcopy(module)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.abs_()
    return _expected(case, x.abs(), module, back.abs())


@cases
@pytest.mark.parametrize("chosen", ["library", "fp32", "reduced", "likely"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_algorithm_is_the_plain_convolution(case: Case, chosen: str, precision: str) -> None:
    """In any order, a sum's error is at most its terms' magnitudes times the last digit."""
    module, x, back = _drawn(case)
    if chosen in CHOICES:
        module.algorithms[case.size] = CHOICES[chosen]
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        actual = _actual(x, module, back)  # oneDNN leaves some gradients unset: see `wrong_...`
    assert actual.output.dtype == (torch.bfloat16 if precision == "bf16" else torch.float32)
    digit = 2**-7 if precision == "bf16" else 1e-6
    expected, sizes = _expected(case, x, module, back), _sizes(case, x, module, back)
    for one, other, size in zip(actual, expected, sizes, strict=True):
        assert one.shape == other.shape
        assert ((one.double() - other).abs() <= digit * size).all()


@pytest.mark.parametrize("name", ["single_thread", "im2col", "direct"])
def test_what_is_for_dense_convolutions_is_the_librarys(name: str) -> None:
    case = _square(3, 2, 7)
    module, x, back = _drawn(case)
    module.algorithms[case.size] = Algorithms()
    library = _actual(x, module, back)
    module.zero_grad()
    module.algorithms[case.size] = CHOICES[name]
    assert all(map(torch.equal, _actual(x, module, back), library))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_no_direction_is_worse_rounded_than_the_librarys(precision: str) -> None:
    case = _square(5, 2, 13)
    module, x, back = _drawn(case)
    library = copy.deepcopy(module)
    library.algorithms[case.size] = Algorithms()
    expected = _expected(case, x, module, back)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        pairs = zip(_actual(x, module, back), _actual(x, library, back), expected, strict=True)
    for one, other, exact in pairs:
        error = float((other.double() - exact).norm())
        assert float((one.double() - exact).norm()) <= 1.2 * error


def _recorded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record which gradients are reduced to other convolutions."""
    used: list[str] = []
    for name in ("input_gradient", "weight_gradient"):
        function = getattr(conv_depthwise, name)

        def noted(*given, name=name, function=function):
            used.append(name)
            return function(*given)

        monkeypatch.setattr(conv_depthwise, name, noted)
    return used


@pytest.mark.parametrize(
    ("kernel", "stride", "precision", "expected"),
    [
        (3, 1, "bf16", []),
        (3, 2, "bf16", ["input_gradient"]),
        (5, 1, "bf16", ["weight_gradient"]),
        (5, 2, "bf16", ["input_gradient", "weight_gradient"]),
        (3, 2, "fp32", []),
        (7, 2, "fp32", ["weight_gradient"]),
    ],
)
@pytest.mark.parametrize("mode", ["training", "inference mode, upper blocks trained"])
def test_without_timing_trials_what_the_library_lacks_is_reduced(
    kernel: int,
    stride: int,
    precision: str,
    expected: list[str],
    mode: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used = _recorded(monkeypatch)
    case = _square(kernel, stride, 8)
    module, x, back = _drawn(case)
    module.train(mode == "training")
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        _actual(x, module, back)
        assert used == expected
        used.clear()
        with torch.no_grad():
            module(x)
        module.requires_grad_(False)
        module(x.requires_grad_()).backward(back)
    assert used == [name for name in expected if name == "input_gradient"]


def test_other_types_and_dense_convolutions_are_the_librarys() -> None:
    depthwise, dense = Padded((5, 5), (2, 2), (2,) * 4), Conv2d(4, 4, 5, 2, 2)
    shape, geometry = depthwise.weight.shape, depthwise.geometry(8, 8)
    assert likely(shape, 8, geometry, torch.bfloat16) == Algorithms("library", "reduced", "reduced")
    assert likely(shape, 8, geometry, torch.float64) == Algorithms()
    assert likely(dense.weight.shape, 8, dense.geometry(8, 8), torch.bfloat16) == Algorithms()


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (8, 7), (1, 2)])
@pytest.mark.parametrize("kernel", [3, 5])
def test_same_padding_is_tensorflows(kernel: int, size: tuple[int, int]) -> None:
    """TensorFlow's guide: ceil(side / stride) windows, the odd zero on the right and below."""
    module = Convolution(CHANNELS, CHANNELS, kernel, 2, CHANNELS)
    module.same_padding = True
    total = [max((-(-side // 2) - 1) * 2 + kernel - side, 0) for side in size]
    top, left = (t // 2 for t in total)
    pads = (left, total[1] - left, top, total[0] - top)
    x = torch.randn(2, CHANNELS, *size, generator=torch.Generator().manual_seed(0))
    expected = F.conv2d(F.pad(x, pads), module.weight, None, 2, groups=CHANNELS)
    for mode in (True, False):
        actual = module.train(mode)(x)
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def test_gradients_of_functions_see_through_a_chosen_algorithm() -> None:
    case = _square(5, 2, 7)
    module, x, back = _drawn(case)
    of_x = torch.func.grad(lambda x: (module(x) * back).sum())(x)
    expected = _expected(case, x, module, back)
    torch.testing.assert_close(of_x.double(), expected.of_x, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet", "convnext(width=16)"])
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_networks_gradients_are_those_of_plain_convolutions(name: str, mode: str) -> None:
    model = build(f"{name[:-1]}, stem='imagenet')" if "(" in name else f"{name}(stem='imagenet')",
                  classes=4, size=40, seed=0)  # fmt: skip
    getattr(model, mode)()
    plain = copy.deepcopy(model)
    for module in plain.modules():
        if isinstance(module, Conv2d):
            module.algorithms = {(side, side): Algorithms() for side in range(1, 41)}
    images = torch.randint(0, 256, (6, 3, 40, 40), generator=torch.Generator().manual_seed(1))
    for network in (model, plain):
        torch.manual_seed(0)
        logits = network(images.byte())
        nn.functional.cross_entropy(logits, torch.arange(6) % 4).backward()
    for one, two in zip(plain.parameters(), model.parameters(), strict=True):
        size = float(one.grad.norm()) / one.grad.numel() ** 0.5
        torch.testing.assert_close(two.grad, one.grad, rtol=1e-3, atol=1e-3 * size + 1e-7)


@pytest.mark.parametrize(("freeze", "least"), [(0, 4), (2, 1)])
def test_fine_tuning_has_them_where_it_trains(
    freeze: int, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MobileNetV2 with the ImageNet stem has four depthwise convolutions of stride 2."""
    recipe = Recipe(
        model="mobilenet_v2(stem='imagenet')",
        weights="imagenet",
        strategy=f"fine_tune(freeze={freeze})",
    )
    network = engine.build(recipe, classes=4, size=32).train()
    used = _recorded(monkeypatch)
    images = torch.randint(0, 256, (4, 3, 32, 32), generator=torch.Generator().manual_seed(1))
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(images.byte())
    nn.functional.cross_entropy(logits.float(), torch.arange(4)).backward()
    assert least <= used.count("input_gradient") <= (4 if freeze == 0 else 2)
    assert sum(p.grad is not None for p in network.backbone.parameters()) > 20
