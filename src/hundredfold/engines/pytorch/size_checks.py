"""Refuse a model that does not take the sizes and the numbers of images of its training."""

import copy

import torch
from torch import nn

from hundredfold import models
from hundredfold.engines.pytorch.choices import training_sizes
from hundredfold.errors import UsageError
from hundredfold.recipe import Recipe
from hundredfold.size import Size


def summary(recipe: Recipe, model: nn.Module, size: Size) -> models.Summary:
    """Count the model. Raises UsageError if it does not accept a size of the training images."""
    for small in sorted(training_sizes(recipe, size) - {size}, key=lambda s: s.area):
        try:
            models.summary(model, small)
        except RuntimeError:
            raise UsageError(
                f"{recipe.model} does not take {small} pixels, where {recipe.resolution} begins",
                remedy='--resolution full, or a model with global pooling such as "resnet"',
            ) from None
    return models.summary(model, size)


def need_several_images(recipe: Recipe, model: nn.Module, size: Size) -> None:
    """Raise UsageError where a step sees one image at a time and a layer normalises over images."""
    if min(recipe.batch_size, recipe.micro_batch or recipe.batch_size) > 1:
        return
    trial = copy.deepcopy(model).train()
    for module in trial.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.register_forward_pre_hook(_need_values)
    try:
        with torch.no_grad():
            for small in training_sizes(recipe, size):
                trial(torch.zeros(1, 3, *small, dtype=torch.uint8))
    except ValueError as error:
        raise UsageError(
            f"{recipe.model} cannot be trained on one image at a time",
            found=str(error)[:200],
            remedy="--batch-size and micro_batch of 2 or more",
        ) from None


def _need_values(norm: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
    """Raise ValueError where BatchNorm would take statistics of one value per channel."""
    if norm.training and inputs[0].numel() == inputs[0].shape[1]:
        raise ValueError(f"{type(norm).__name__} needs more than one value per channel")
