"""Reads pairs of tensors and deals their chunks to the workers of a backend."""
