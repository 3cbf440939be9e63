"""All that a chunk needs of a card in one Triton kernel, and the worker that keeps it fed."""
