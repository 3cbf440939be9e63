"""What files of weights are called."""

WEIGHT_SUFFIXES = (".safetensors", ".gguf", ".bin", ".pt", ".pth", ".ckpt")
"""What files of weights end in. Text that does is a path, even where nothing is."""
