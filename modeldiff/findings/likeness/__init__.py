"""What a change is like: levels of training, and recipes that are none."""
