"""What an adapter makes of its base's tensors."""
