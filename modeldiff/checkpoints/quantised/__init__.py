"""Quantised matrices in safetensors: which tensors make up each, and how they become its values."""
