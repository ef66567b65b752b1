"""Train everything from weights drawn at random."""

from hundredfold.strategies._strategy import Strategy


def scratch() -> Strategy:
    """Train the whole network from weights that the seed draws."""
    return Strategy(pretrained=False)
