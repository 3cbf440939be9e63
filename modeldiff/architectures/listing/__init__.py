"""The layers and tensors of an architecture as rows."""
