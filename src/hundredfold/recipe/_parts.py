"""Fields of a recipe that name parts: the package of each, and parsing."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, InstanceOf, PlainSerializer, ValidationInfo

from hundredfold import spec
from hundredfold.backbones import BACKBONES, network_of
from hundredfold.errors import UsageError, did_you_mean, shortened
from hundredfold.spec import Chain, Part

PACKAGES = {
    "data": "hundredfold.data",
    "model": "hundredfold.models",
    "strategy": "hundredfold.strategies",
    "augment": "hundredfold.augment",
    "loss": "hundredfold.optim.losses",
    "optimizer": "hundredfold.optim.optimizers",
    "schedule": "hundredfold.optim.schedules",
    "resolution": "hundredfold.optim.resolutions",
}
TENSORFLOW_MODELS = "hundredfold.engines.tensorflow.models"


def _read_part(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    package = package_of(str(info.field_name), info.data)
    if info.field_name == "model":
        value = network_for(value, package)
    return spec.part(value, package, info.context)


def _read_strategy(value: Any, info: ValidationInfo) -> Any:
    if value == "":
        value = "linear_probe" if info.data.get("weights") else "scratch"
    return _read_part(value, info)


def _read_chain(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    return spec.chain(value, PACKAGES[str(info.field_name)], info.context)


def network_for(text: str, package: str) -> str:
    """Return the network of a model's text, which may name a backbone."""
    tensorflow = package == TENSORFLOW_MODELS
    if not tensorflow and (network := network_of(text)):
        return network
    call = spec.parse(text)
    models = spec.names(package) if tensorflow else {*spec.names(package), *BACKBONES}
    if call.name not in models and (tensorflow or not call.file):
        subject = "the TensorFlow engine has no model" if tensorflow else "no model is called"
        raise UsageError(
            f"{subject} {shortened(call.name)}", remedy=did_you_mean(call.name, models)
        )
    return text


def package_of(field: str, fields: Mapping[str, Any]) -> str:
    """Return the package of a field's parts; models depend on the engine."""
    own = field == "model" and fields.get("engine") == "tensorflow"
    return TENSORFLOW_MODELS if own else PACKAGES[field]


_AS_TEXT = PlainSerializer(str, return_type=str)
OnePart = Annotated[InstanceOf[Part], BeforeValidator(_read_part), _AS_TEXT]
Strategy = Annotated[InstanceOf[Part], BeforeValidator(_read_strategy), _AS_TEXT]
Parts = Annotated[InstanceOf[Chain], BeforeValidator(_read_chain), _AS_TEXT]
