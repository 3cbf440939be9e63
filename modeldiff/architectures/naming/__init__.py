"""From the names of tensors to their places."""
