"""What explains rows of a change table beside training."""
