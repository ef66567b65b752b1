"""The peer: the same networks and optimizers as a careful PyTorch user writes them.

Plain nn.Conv2d, nn.BatchNorm2d and torch.optim, float images, channels-last, autocast. Muon
goes through the filters one by one, as the public speed recipes have it. Each network has
its counterpart's parameters and multiply-accumulates, and the peer of a speednet computes as
well the last rows and columns that its poolings then drop, as plain layers do.
"""

import torch
from _common import Work
from _ours import Part, Recipe
from torch import Tensor, nn
from torch.nn import functional

CLASSES, PIXELS = 100, 32


def simple_cnn() -> nn.Module:
    """The network of the tutorial."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(1024, 64), nn.ReLU(), nn.Linear(64, CLASSES),
    )  # fmt: skip


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut: a 1x1 convolution, or zeros for new channels."""

    def __init__(self, inputs: int, outputs: int, stride: int, project: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.more = stride, outputs - inputs
        self.shortcut = nn.Sequential()
        if project and (stride != 1 or inputs != outputs):
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
            self.more = 0

    def forward(self, x: Tensor) -> Tensor:
        out = functional.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        short = self.shortcut(x)
        if self.more:
            short = functional.pad(short[:, :, :: self.stride, :: self.stride],
                                   (0, 0, 0, 0, 0, self.more))  # fmt: skip
        return functional.relu(out + short)


def resnet(depth: int) -> nn.Module:
    """ResNet-18 with the stem for 32 px, or one of the paper's for CIFAR."""
    large = depth == 18
    first, groups = (64, 4) if large else (16, 3)
    blocks = 2 if large else (depth - 2) // 6
    layers = [nn.Conv2d(3, first, 3, 1, 1, bias=False), nn.BatchNorm2d(first), nn.ReLU()]
    inputs = first
    for group in range(groups):
        outputs = first * 2**group
        for block in range(blocks):
            layers.append(BasicBlock(inputs, outputs, 2 if group and not block else 1, large))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, CLASSES))


class WideBlock(nn.Module):
    """Two convolutions, each after BatchNorm and ReLU, and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        same = inputs == outputs and stride == 1
        self.shortcut = None if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out = functional.relu(self.bn1(x))
        short = self.shortcut(out) if self.shortcut else x
        return self.conv2(functional.relu(self.bn2(self.conv1(out)))) + short


def wrn(depth: int, width: int) -> nn.Module:
    """WRN-depth-width without dropout."""
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, 1, 1, bias=False)]
    inputs = 16
    for group in range(3):
        for block in range((depth - 4) // 6):
            outputs = 16 * width * 2**group
            layers.append(WideBlock(inputs, outputs, 2 if group and not block else 1))
            inputs = outputs
    layers += [nn.BatchNorm2d(inputs), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(inputs, CLASSES))


class SpeedGroup(nn.Module):
    """Convolution, pooling, norm, SiLU; then a residual pair."""

    def __init__(
        self, inputs: int, outputs: int, through: int, entry: int, pair: tuple[int, int]
    ) -> None:
        super().__init__()
        entered: nn.Module = nn.Conv2d(inputs, outputs, entry, padding=1, bias=False)
        if entry == 2:  # to the same size: zeros on the right and below
            unpadded = nn.Conv2d(inputs, outputs, entry, bias=False)
            entered = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), unpadded)
        self.enter = nn.Sequential(
            entered,
            nn.MaxPool2d(2), nn.BatchNorm2d(outputs), nn.SiLU(),
        )  # fmt: skip
        self.pair = nn.Sequential(
            nn.Conv2d(outputs, through, pair[0], padding=pair[0] // 2, bias=False),
            nn.BatchNorm2d(through), nn.SiLU(),
            nn.Conv2d(through, outputs, pair[1], padding=pair[1] // 2, bias=False),
            nn.BatchNorm2d(outputs), nn.SiLU(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        return x + self.pair(x)


class SpeedNet(nn.Module):
    """The record's network; the frozen stem has random directions, which cost the same."""

    def __init__(self, width: float) -> None:
        super().__init__()

        def of(channels: int) -> int:
            return max(8, round(width * channels / 8) * 8)

        self.whiten = nn.Conv2d(3, 24, 2)
        self.whiten.weight.requires_grad_(False)
        self.groups = nn.Sequential(
            nn.SiLU(),
            SpeedGroup(24, of(64), of(64), 3, (1, 1)),
            SpeedGroup(of(64), of(256), of(192), 3, (3, 1)),
            SpeedGroup(of(256), of(768), of(512), 2, (3, 3)),
        )
        self.head = nn.Linear(of(768), CLASSES, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.groups(self.whiten(x))
        return self.head(x.amax((2, 3)) + x.mean((2, 3))) * (1.25 / 9)


def network(model: Part) -> nn.Module | None:
    """Return the plain counterpart of a model of the zoo, if there is one here."""
    options = model.options
    if model.name == "resnet" and options["depth"] in (18, 20, 32, 44, 56, 110):
        return resnet(options["depth"])
    if model.name == "wrn":
        return wrn(options["depth"], options["width"])
    if model.name == "speednet":
        return SpeedNet(options["width"])
    return simple_cnn() if model.name == "simple_cnn" else None


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised filter bank by filter bank (Jordan 2024)."""

    def __init__(self, filters: list[nn.Parameter], lr: float, momentum: float, steps: int) -> None:
        super().__init__(filters, {"lr": lr, "momentum": momentum, "steps": steps})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(p.grad)
                buffer = state["momentum"].mul_(group["momentum"]).add_(p.grad)
                ahead = p.grad.add(buffer, alpha=group["momentum"])
                p.mul_(len(p) ** 0.5 / p.norm())
                move = newton_schulz(ahead.reshape(len(ahead), -1), group["steps"])
                p.add_(move.view(p.shape), alpha=-group["lr"])


def newton_schulz(gradient: Tensor, steps: int) -> Tensor:
    """Bring the singular values of a matrix near 1 by the quintic of Jordan 2024."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = gradient / (gradient.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(steps):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if tall else x


def optimizers(chosen: Part, model: nn.Module) -> list[torch.optim.Optimizer]:
    """Return torch's own optimizer for one of ours; for Muon two."""
    options = chosen.options
    trained = [p for p in model.parameters() if p.requires_grad]
    if chosen.name == "adam":
        return [torch.optim.Adam(trained, options["lr"], (options["beta1"], options["beta2"]))]
    if chosen.name == "sgd":
        names = ("lr", "momentum", "nesterov", "weight_decay")
        return [torch.optim.SGD(trained, **{name: options[name] for name in names})]
    if chosen.name != "muon":
        raise ValueError(f"there is no plain {chosen.name} here")
    filters = [p for p in trained if p.ndim == 4]
    muon = Muon(filters, options["lr"], options["momentum"], options["steps"])
    dense = {"params": [p for p in trained if p.ndim == 2]}
    small = {"params": [p for p in trained if p.ndim == 1], "weight_decay": 0.0}
    rest = torch.optim.SGD(
        [dense, small], options["sgd_lr"], options["sgd_momentum"],
        weight_decay=options["weight_decay"], nesterov=True,
    )  # fmt: skip
    return [muon, rest]


def work(
    recipe: Recipe, size: int, precision: str, on: str = "cpu", compiled: bool = False
) -> Work:
    """Return a recipe's step, micro-batches and resizing included, on float images of 32 px.

    on: the device. compiled: the network is torch.compile's.
    """
    model = network(recipe.model)
    assert model is not None, recipe.model
    model = model.to(on, memory_format=torch.channels_last)
    updates = optimizers(recipe.optimizer, model)
    loss_of = nn.CrossEntropyLoss(**recipe.loss.options)
    batch = recipe.batch_size
    images = torch.randn(batch, 3, PIXELS, PIXELS).to(on, memory_format=torch.channels_last)
    labels = torch.randint(0, CLASSES, (batch,)).to(on)
    bf16 = precision == "bf16"
    forward = torch.compile(model) if compiled else model

    def step() -> float:
        for update in updates:
            update.zero_grad()
        pairs = zip(*(t.split(recipe.micro_batch or batch) for t in (images, labels)), strict=True)
        for part, correct in pairs:
            with torch.autocast(on, torch.bfloat16, enabled=bf16):
                loss = loss_of(forward(_sized(part, size)), correct) * (len(part) / batch)
            loss.backward()
        for update in updates:
            with torch.autocast(on, torch.bfloat16, enabled=bf16):
                update.step()
        loss.item()
        return batch

    return step


def _sized(images: Tensor, size: int) -> Tensor:
    if images.shape[-1] == size:
        return images
    small = functional.interpolate(images, (size, size), mode="bilinear", antialias=True)
    return small.contiguous(memory_format=torch.channels_last)
