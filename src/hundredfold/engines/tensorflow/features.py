"""Features of a frozen network, computed once; the head then trains on them in seconds."""

from dataclasses import replace
from typing import Any, cast

import keras
import numpy as np

from hundredfold.data import Split
from hundredfold.engines.tensorflow.learner import forward, in_order


def on_features(network: Any, training: Split, validation: Split) -> tuple[Any, Split, Split]:
    """Compute a frozen network's features once; return its head and the splits with them."""
    body = keras.Model(network.input, network.get_layer("features").output)
    inputs = keras.Input(body.output.shape[1:])
    head = network.get_layer("classifier")(network.get_layer("dropout")(inputs))
    function = forward(body)

    def with_features(split: Split) -> Split:
        features = np.zeros((len(split.pixels), body.output.shape[-1]), np.float32)
        features[split.indices] = in_order(function, split.pixels, split.indices)
        return replace(split, pixels=cast(Any, features))

    return keras.Model(inputs, head), with_features(training), with_features(validation)
