"""What a diff found, in sentences and headline numbers."""
