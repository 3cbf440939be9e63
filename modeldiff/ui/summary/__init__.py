"""What a diff found, in sentences."""
