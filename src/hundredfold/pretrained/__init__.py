"""Weights that a backbone begins with: where they lie, whether they are the right ones.

`locate` and `settle` need no torch. `fill` reads torchvision's .pth, safetensors, Keras' .h5
and .weights.h5, and weights of our own runs.
"""

from hundredfold.pretrained._place import locate, settle

__all__ = ["locate", "settle"]
