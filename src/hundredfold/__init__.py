"""Train image classifiers, from scratch and by transfer, and say honestly which is better."""

__version__ = "0.1.0"
