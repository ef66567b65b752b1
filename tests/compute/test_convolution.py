"""Every algorithm of a convolution against PyTorch's in float64, padded by hand."""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hundredfold.compute import conv_library, convolution
from hundredfold.compute.threads import threads
from hundredfold.models import ALGORITHMS, Algorithms, Conv2d, products

Pads = tuple[int, int, int, int]  # left, right, top, bottom


class Case(NamedTuple):
    """Arguments of a convolution, and the padding that they mean."""

    kernel: int | tuple[int, int]
    stride: int | tuple[int, int]
    padding: int | tuple[int, int] | str
    pads: Pads
    size: tuple[int, int]
    even: bool = False


CASES = {
    "3x3": Case(3, 1, 1, (1, 1, 1, 1), (7, 7)),
    "3x3, same": Case(3, 1, "same", (1, 1, 1, 1), (6, 5)),
    "3x3 without padding": Case(3, 1, 0, (0, 0, 0, 0), (6, 7)),
    "1x1": Case(1, 1, 0, (0, 0, 0, 0), (5, 4)),
    "1x1, every second pixel": Case(1, 2, 0, (0, 0, 0, 0), (5, 6)),
    "2x2, same": Case(2, 1, "same", (0, 1, 0, 1), (6, 5)),
    "4x4, same": Case(4, 1, "same", (1, 2, 1, 2), (5, 5)),
    "2x3, same": Case((2, 3), 1, "same", (1, 1, 0, 1), (4, 5)),
    "3x3, stride 2": Case(3, 2, 1, (1, 1, 1, 1), (8, 8)),
    "3x3, stride 2, odd": Case(3, 2, 1, (1, 1, 1, 1), (7, 9)),
    "3x1": Case((3, 1), 1, (1, 0), (0, 0, 1, 1), (5, 5)),
    "two strides": Case((2, 3), (2, 3), (1, 0), (0, 0, 1, 1), (6, 9)),
    "windows with gaps": Case(2, 3, 0, (0, 0, 0, 0), (8, 9)),
    "the last pixels left over": Case(3, 3, 0, (0, 0, 0, 0), (8, 7)),
    "7x7, stride 2, on a small map": Case(7, 2, 3, (3, 3, 3, 3), (4, 5)),
    "5x5 on a map of 3x2": Case(5, 1, 2, (2, 2, 2, 2), (3, 2)),
    "3x3 on a pixel": Case(3, 1, 1, (1, 1, 1, 1), (1, 1)),
    "3x3, made even": Case(3, 1, "same", (1, 0, 1, 0), (5, 7), even=True),
    "3x3, rows made even": Case(3, 1, "same", (1, 1, 1, 0), (5, 6), even=True),
    "2x2, made even": Case(2, 1, "same", (0, 0, 0, 0), (7, 3), even=True),
    "4x4, made even": Case(4, 1, "same", (1, 1, 1, 1), (5, 5), even=True),
    "2x3, columns made even": Case((2, 3), 1, "same", (1, 0, 0, 1), (4, 3), even=True),
    "even already": Case(2, 1, "same", (0, 1, 0, 1), (4, 6), even=True),
    "an eighth of the rows": Case(3, 1, "same", (1, 1, 1, 0), (7, 6), even=True),
    "less than an eighth": Case(2, 1, "same", (0, 1, 0, 1), (9, 10), even=True),
}
CHOICES = {
    **{name: Algorithms(name, name, name) for name in ALGORITHMS},
    "three algorithms": Algorithms("direct", "im2col", "library"),
}
geometry = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


class Sums(NamedTuple):
    """The output and the gradients of input, weight and bias."""

    output: Tensor
    of_x: Tensor
    of_weight: Tensor
    of_bias: Tensor


def _built(case: Case) -> Conv2d:
    torch.manual_seed(1)
    module = Conv2d(5, 6, case.kernel, case.stride, case.padding, even=case.even)
    return module.to(memory_format=torch.channels_last)


def _drawn(case: Case, module: Conv2d) -> tuple[Tensor, Tensor]:
    """Return an input and a gradient of the output."""
    torch.manual_seed(2)
    x = torch.randn(3, 5, *case.size).to(memory_format=torch.channels_last)
    return x, torch.randn_like(_expected(case, x, module, torch.zeros(())).output.float())


def _expected(case: Case, x: Tensor, module: Conv2d, back: Tensor) -> Sums:
    """Compute in float64 on an explicitly padded input."""
    x, weight, bias = (
        t.detach().double().requires_grad_() for t in (x, module.weight, module.bias)
    )
    y = F.conv2d(F.pad(x, case.pads), weight, bias, module.stride)
    (y * back.double()).sum().backward()
    return Sums(y.detach(), x.grad, weight.grad, bias.grad)


def _actual(x: Tensor, module: Conv2d, back: Tensor) -> Sums:
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    module.zero_grad()
    y = module(x)
    y.backward(back.to(y.dtype))
    return Sums(y.detach(), x.grad, module.weight.grad, module.bias.grad)


@geometry
@pytest.mark.parametrize("algorithms", CHOICES.values(), ids=CHOICES)
def test_every_algorithm_is_the_plain_convolution(case: Case, algorithms: Algorithms) -> None:
    module = _built(case)
    x, back = _drawn(case, module)
    module.algorithms[case.size] = algorithms
    for actual, expected in zip(
        _actual(x, module, back), _expected(case, x, module, back), strict=True
    ):
        assert actual.shape == expected.shape
        torch.testing.assert_close(actual.double(), expected, rtol=1e-5, atol=1e-5)


@geometry
@pytest.mark.parametrize("algorithms", CHOICES.values(), ids=CHOICES)
def test_under_autocast_every_algorithm_is_within_the_rounding_of_bf16(
    case: Case, algorithms: Algorithms
) -> None:
    """In any order, a sum's error is at most its terms' magnitudes times 2**-7."""
    module = _built(case)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(parameter.bfloat16())
    x, back = (t.bfloat16().float() for t in _drawn(case, module))
    module.algorithms[case.size] = algorithms
    with torch.autocast("cpu", torch.bfloat16):
        actual = _actual(x, module, back)
    assert actual.output.dtype == torch.bfloat16
    expected = _expected(case, x, module, back)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.abs_()
    sizes = _expected(case, x.abs(), module, back.abs())
    for one, other, size in zip(actual, expected, sizes, strict=True):
        assert ((one.double() - other).abs() <= 2**-7 * size).all()


@geometry
def test_without_a_choice_the_library_computes(case: Case) -> None:
    module = _built(case)
    x, back = _drawn(case, module)
    for actual, expected in zip(
        _actual(x, module, back), _expected(case, x, module, back), strict=True
    ):
        torch.testing.assert_close(actual.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("kernel", "padding"), [(3, 1), (1, "same"), ((1, 3), "same")])
def test_maps_are_made_even_where_padding_can_be_left_out(
    kernel: int | tuple[int, int], padding: int | str
) -> None:
    with pytest.raises(ValueError, match="kernel of 2 or more"):
        Conv2d(5, 6, kernel, padding=padding, even=True)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_input_that_is_not_trained_gets_no_gradient(name: str) -> None:
    case = CASES["3x3"]
    module = _built(case)
    x, back = _drawn(case, module)
    module.algorithms[case.size] = CHOICES[name]
    module(x).backward(back)
    assert x.grad is None
    expected = _expected(case, x, module, back)
    torch.testing.assert_close(
        module.weight.grad.double(), expected.of_weight, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("name", ["im2col", "direct"])
def test_weights_need_not_lie_channels_last(name: str) -> None:
    case = CASES["3x3, stride 2"]
    module = _built(case).to(memory_format=torch.contiguous_format)
    x, back = _drawn(case, module)
    module.algorithms[case.size] = CHOICES[name]
    pairs = zip(
        _actual(x.contiguous(), module, back), _expected(case, x, module, back), strict=True
    )
    for actual, expected in pairs:
        torch.testing.assert_close(actual.double(), expected, rtol=1e-5, atol=1e-5)


def test_a_choice_is_for_training_and_for_its_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used: list[str] = []
    forward: Callable[..., Any] = convolution.forward

    def noted(*given: Any) -> Tensor:
        used.append(given[-1])
        return forward(*given)

    monkeypatch.setattr(convolution, "forward", noted)
    module = Conv2d(5, 6, 3, padding=1)
    module.algorithms[8, 8] = CHOICES["direct"]
    module(torch.ones(1, 5, 8, 8))
    assert used == ["direct"]
    module(torch.ones(1, 5, 8, 9))
    with torch.no_grad():
        module.eval()(torch.ones(1, 5, 8, 8))
    assert used == ["direct"]
    module(torch.ones(1, 5, 8, 8))  # in inference mode, but trained, as in fine-tuning
    assert used == ["direct"] * 2


@pytest.mark.parametrize("padding", [2, "same"])
@pytest.mark.parametrize(
    "options",
    [{"dilation": 2}, {"dilation": 3, "kernel": 2}, {"groups": 2, "kernel": 2}, {"groups": 2}],
    ids=str,
)
def test_groups_and_dilations_use_the_library(options: dict[str, int], padding: int | str) -> None:
    kernel, dilation = options.get("kernel", 3), options.get("dilation", 1)
    groups = options.get("groups", 1)
    module = Conv2d(4, 6, kernel, padding=padding, dilation=dilation, groups=groups)
    module.algorithms[9, 9] = CHOICES["direct"]
    assert module.geometry(9, 9) is None
    x = torch.randn(2, 4, 9, 9, generator=torch.Generator().manual_seed(0))
    total = dilation * (kernel - 1)
    pads = (2, 2, 2, 2) if padding == 2 else (total // 2, total - total // 2) * 2
    expected = F.conv2d(F.pad(x, pads), module.weight, module.bias, 1, 0, dilation, groups)
    torch.testing.assert_close(module(x), expected, rtol=1e-5, atol=1e-5)


@geometry
def test_products_are_the_rows_of_windows_that_lie_in_the_image(case: Case) -> None:
    """Count by marking pixels: a window's row counts where it covers one."""
    module = _built(case)
    (kh, kw), (down, across) = module.kernel_size, module.stride
    left, right, top, bottom = case.pads
    canvas = F.pad(torch.ones(case.size), case.pads)
    rows = range(0, case.size[0] + top + bottom - kh + 1, down)
    columns = range(0, case.size[1] + left + right - kw + 1, across)
    windows = [canvas[i : i + kh, j : j + kw] for i, j in itertools.product(rows, columns)]
    assert products(module, *case.size) == sum(int(w.any(1).sum()) for w in windows)


@pytest.mark.parametrize("fails", [False, True])
def test_single_thread_restores_the_number_of_threads(
    fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, seen = CASES["3x3"], []
    module = _built(case)
    x, back = _drawn(case, module)

    def noted(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def note(*given: Any) -> Tensor:
            seen.append(torch.get_num_threads())
            if fails:
                raise MemoryError
            return function(*given)

        return note

    monkeypatch.setattr(F, "conv2d", noted(F.conv2d))
    monkeypatch.setattr(conv_library, "_backward", noted(conv_library._backward))
    module.algorithms[case.size] = Algorithms("single_thread", "single_thread", "single_thread")
    with threads(3):
        if fails:
            with pytest.raises(MemoryError):
                module(x)
        else:
            module(x.requires_grad_()).backward(back)
        assert torch.get_num_threads() == 3
    assert seen == ([1] if fails else [1, 1, 1]), "forward, and both gradients"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own use of torch.jit
@pytest.mark.parametrize("algorithms", CHOICES.values(), ids=CHOICES)
def test_a_compiled_convolution_is_one_graph_of_the_librarys(algorithms: Algorithms) -> None:
    """`fullgraph` raises at a graph break, such as a change of the number of threads."""
    torch.compiler.reset()
    case = CASES["3x3"]
    module = _built(case)
    x, back = _drawn(case, module)
    module.algorithms[case.size] = algorithms
    y = torch.compile(module, backend="eager", fullgraph=True)(x)
    library = F.conv2d(x, module.weight, module.bias, padding=1)
    assert torch.equal(y, library)
    expected = _expected(case, x, module, back).output
    torch.testing.assert_close(y.double(), expected, rtol=1e-5, atol=1e-5)
