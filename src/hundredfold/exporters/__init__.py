"""What a trained network is exported to: one target a file."""
