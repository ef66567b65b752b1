"""Train the whole network from random weights."""

from hundredfold.strategies._strategy import Strategy


def scratch() -> Strategy:
    """Train the whole network from random weights, a function of the seed."""
    return Strategy(pretrained=False)
