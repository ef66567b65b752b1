"""Networks of timm (Wightman 2019, github.com/huggingface/pytorch-image-models).

timm is an extra; it is imported when a network of it is asked for. Installed beside a CPU-only
torch, it brings a torchvision that replaces torch by a build for GPUs of some gigabytes.
"""

from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from hundredfold.errors import MissingError, UsageError, did_you_mean, pip_install
from hundredfold.models._layers import Scale
from hundredfold.size import Size


class TimmNetwork(nn.Module):
    """A network of timm, preceded by the scaling that its weights expect."""

    def __init__(self, name: str, classes: int) -> None:
        super().__init__()
        self.network = _create(name, num_classes=classes)
        config: Any = self.network.pretrained_cfg
        self.scale = Scale()
        self.scale.mean.copy_(255 * torch.tensor(config["mean"]).view(3, 1, 1))
        self.scale.std.copy_(255 * torch.tensor(config["std"]).view(3, 1, 1))
        self.fixed_size: int = config["input_size"][-1] if config.get("fixed_input_size") else 0

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (b, 3, h, w) -> logits (b, classes), or features where the head is removed."""
        return self.network(self.scale(images))  # type: ignore[no-any-return]

    def remove_head(self) -> int:
        """Remove the classifier; return the number of features."""
        self.network.reset_classifier(0)  # type: ignore[operator]
        return int(self.network.num_features)  # type: ignore[arg-type]


def timm(classes: int, size: Size, *, name: str) -> nn.Module:
    """Build a network of timm by its name, such as "resnet50d.a1_in1k", without weights.

    Raises MissingError where timm is not installed, and UsageError for an unknown name or a size
    that the network does not accept.
    """
    network = TimmNetwork(name, classes)
    if network.fixed_size and size != network.fixed_size:
        raise UsageError(
            f"timm/{name} takes images of {network.fixed_size} pixels, not {size}",
            remedy=f"--set strategy.input_size={network.fixed_size}",
        )
    return network


def tensor_names(name: str) -> set[str]:
    """Return the names of all tensors in the state dict of a network of timm."""
    with torch.device("meta"):
        return set(_create(name).state_dict())


def _create(name: str, **options: Any) -> nn.Module:
    library = _import_timm()
    networks = library.list_models() + library.list_pretrained()
    if name not in networks:
        raise UsageError(f"timm has no network {name!r}", remedy=did_you_mean(name, networks))
    network: nn.Module = library.create_model(name, pretrained=False, **options)
    return network


def _how_to_install() -> str:
    """Return an installation command that keeps a CPU-only torch."""
    if torch.version.cuda or torch.version.hip:
        return pip_install("timm")
    index = "--extra-index-url https://download.pytorch.org/whl/cpu"
    return f"{pip_install('timm', 'torchvision', index)} (without it, pip may fetch CUDA's torch)"


def _import_timm() -> ModuleType:
    try:
        import timm as library
    except (
        ImportError,
        RuntimeError,
    ) as error:  # a torchvision for another torch version raises either
        raise MissingError(
            "networks of timm need timm, which cannot be imported here",
            found=str(error).partition("\n")[0][:200],
            remedy=_how_to_install(),
        ) from None
    return library  # type: ignore[no-any-return]
