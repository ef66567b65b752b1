"""Networks of timm (Wightman 2019, github.com/huggingface/pytorch-image-models) as backbones.

timm is an extra; it is imported when a network of it is asked for.
"""

from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from hundredfold.errors import MissingError, UsageError, did_you_mean, pip_install
from hundredfold.models._layers import Scale


class TimmBackbone(nn.Module):
    """A network of timm without its classifier, behind the scaling that its weights want.

    resolution: pixels to enlarge small images to, or the only size that the network takes.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.network = _create(name, num_classes=0)
        about: Any = self.network.pretrained_cfg
        self.scale = Scale()
        self.scale.mean.copy_(255 * torch.tensor(about["mean"]).view(3, 1, 1))
        self.scale.std.copy_(255 * torch.tensor(about["std"]).view(3, 1, 1))
        self.fixed_size: int = about["input_size"][-1] if about.get("fixed_input_size") else 0

    def forward(self, images: Tensor) -> Tensor:
        """(b, 3, h, w) in 0..255 -> features (b, channels)."""
        return self.network(self.scale(images))  # type: ignore[no-any-return]


def backbone(name: str, size: int) -> tuple[TimmBackbone, int]:
    """Build a network of timm in inference mode; return it and the channels of its features.

    Raises MissingError without timm, UsageError for a name that it does not have and for a
    size that the network does not take.
    """
    body = TimmBackbone(name).eval()
    if body.fixed_size and size != body.fixed_size:
        raise UsageError(
            f"timm/{name} takes images of {body.fixed_size} pixels, not {size}",
            remedy=f"--set model.resolution={body.fixed_size}",
        )
    with torch.no_grad():
        return body, int(body(torch.zeros(1, 3, size, size)).shape[1])


def names(name: str) -> set[str]:
    """Return the names of all tensors that weights of a network of timm may hold."""
    with torch.device("meta"):
        return set(_create(name).state_dict())


def _create(name: str, **options: Any) -> nn.Module:
    timm = _imported()
    known = timm.list_models() + timm.list_pretrained()
    if name not in known:
        raise UsageError(f"timm has no network {name!r}", remedy=did_you_mean(name, known))
    network: nn.Module = timm.create_model(name, pretrained=False, **options)
    return network


def _how_to_install() -> str:
    """Return a command that keeps a CPU's torch, which timm's torchvision would replace."""
    if torch.version.cuda or torch.version.hip:
        return pip_install("timm")
    index = "--extra-index-url https://download.pytorch.org/whl/cpu"
    return f"{pip_install('timm', 'torchvision', index)} (without it, pip may fetch CUDA's torch)"


def _imported() -> ModuleType:
    try:
        import timm
    except (ImportError, RuntimeError) as error:  # torchvision of another torch raises either
        raise MissingError(
            "backbones of timm need timm, which cannot be imported here",
            found=str(error).partition("\n")[0][:200],
            remedy=_how_to_install(),
        ) from None
    return timm  # type: ignore[no-any-return]
