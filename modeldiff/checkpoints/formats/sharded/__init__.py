"""Checkpoints of which each rank of a training run wrote its own part."""
