"""Which engine trains a recipe, and which computes a run's network."""

import torch

from hundredfold import call, inference, tensorflow
from hundredfold.inference import Classifier
from hundredfold.recipe import PACKAGES, Recipe
from hundredfold.run import Run
from hundredfold.training.engine import PYTORCH, Engine


def engine_of(what: Recipe) -> Engine:
    """Return what computes a recipe."""
    if what.engine == "tensorflow":
        return Engine(tensorflow.prepare, tensorflow.measure)
    return PYTORCH


def open_model(run: Run, device: torch.device) -> Classifier:
    """Open a run by PyTorch where it has the network, whoever trained it, else by TensorFlow."""
    if call.parse(run.recipe.model).name in call.names(PACKAGES["model"]):
        return inference.open_model(run, device)
    return tensorflow.open_model(run)
