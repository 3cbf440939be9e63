"""``modeldiff fleet``: many targets beside one base."""
