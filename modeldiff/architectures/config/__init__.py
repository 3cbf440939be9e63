"""What a config says, read defensively."""
