"""CIFAR-100 (Krizhevsky 2009): 50,000 training and 10,000 test images, 32x32, 100 classes."""

from functools import partial

from hundredfold.data._cifar import cifar, read_binary
from hundredfold.data._official import Layout, Official
from hundredfold.data._pickle import read_python
from hundredfold.data._types import DataSet, Source

# fmt: off
SUPERCLASSES = (
    "aquatic_mammals", "fish", "flowers", "food_containers", "fruit_and_vegetables",
    "household_electrical_devices", "household_furniture", "insects", "large_carnivores",
    "large_man-made_outdoor_things", "large_natural_outdoor_scenes",
    "large_omnivores_and_herbivores", "medium_mammals", "non-insect_invertebrates", "people",
    "reptiles", "small_mammals", "trees", "vehicles_1", "vehicles_2",
)
CLASSES = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle",
    "bottle", "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle",
    "caterpillar", "cattle", "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch",
    "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish", "forest", "fox",
    "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
    "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom",
    "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree",
    "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road",
    "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake",
    "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
    "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle",
    "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
)
SUPERCLASS_OF = (
    4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11,
    6, 11, 5, 10, 7, 6, 13, 15, 3, 15, 0, 11, 1, 10, 12, 14, 16, 9, 11, 5,
    5, 19, 8, 8, 15, 13, 14, 17, 18, 10, 16, 4, 17, 4, 2, 0, 17, 4, 18, 17,
    10, 3, 2, 12, 12, 16, 12, 1, 9, 19, 2, 10, 0, 1, 16, 12, 9, 13, 15, 13,
    16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13,
)
# fmt: on

_OFFICIAL = Official(
    name="cifar100",
    classes=CLASSES,
    superclasses=SUPERCLASSES,
    superclass_of=SUPERCLASS_OF,
    site="https://www.cs.toronto.edu/~kriz/",
    layouts=(
        Layout(
            folder="cifar-100-binary",
            archive="cifar-100-binary.tar.gz",
            sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            files={"train": ("train.bin",), "test": ("test.bin",)},
            read=partial(read_binary, label_bytes=2),
        ),
        Layout(
            folder="cifar-100-python",
            archive="cifar-100-python.tar.gz",
            sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
            files={"train": ("train",), "test": ("test",)},
            read=partial(read_python, labels="fine_labels"),
        ),
    ),
    digests={
        "train": "ad8055e8225af67c70a32a980e36ccc3b8913525625089b31e37b0aed1bfa276",
        "test": "5a9dc1f36274e2c463b267e50430f043f7bae113d3a5bc50ffbee833b27c8f98",
    },
)


def cifar100(source: Source) -> DataSet:
    """Load CIFAR-100 with its 100 classes in 20 superclasses.

    The coarse labels in the files are not read: each class belongs to one superclass.
    """
    return cifar(source, _OFFICIAL)
