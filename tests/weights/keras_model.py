"""Save a `keras.applications` model with random weights, and its features of some images.

Arguments: NAME SIZE FOLDER. Writes FOLDER/images.npy (uint8), features.npy,
published.h5 (as the files on keras' site are arranged) and saved.weights.h5 (Keras 3).
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import h5py
import keras
import numpy as np
from keras.src.legacy.saving import legacy_h5_format

MODULES = {
    "VGG16": "vgg16",
    "ResNet50": "resnet50",
    "DenseNet121": "densenet",
    "MobileNetV2": "mobilenet_v2",
}


def main(name: str, size: int, folder: Path) -> None:
    applications = keras.applications
    shape = (size, size, 3)
    model = getattr(applications, name)(
        weights=None, include_top=False, pooling="avg", input_shape=shape
    )
    chance = np.random.default_rng(0)
    for layer in model.layers:
        layer.set_weights([_drawn(w, a, chance) for w, a in _pairs(layer)])
    images = chance.integers(0, 256, (3, *shape), dtype=np.uint8)
    prepare = getattr(applications, MODULES[name]).preprocess_input
    features = model(prepare(images.astype("float32")), training=False)
    np.save(folder / "images.npy", images)
    np.save(folder / "features.npy", np.asarray(features))
    with h5py.File(folder / "published.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    model.save_weights(folder / "saved.weights.h5")


def _pairs(layer):
    return [(w.name, np.asarray(w)) for w in layer.weights]


def _drawn(name, array, chance):
    """Give norms statistics of their own, so that their epsilon and order matter."""
    if "kernel" in name:
        return array
    low, high = {"gamma": (0.5, 1.5), "moving_variance": (1e-4, 2.0)}.get(name, (-0.3, 0.3))
    return chance.uniform(low, high, array.shape).astype("float32")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
