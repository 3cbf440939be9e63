"""GGUF, the format of llama.cpp: header → named tensors in transformers' terms, and a config."""
