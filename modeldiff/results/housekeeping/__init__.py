"""The cache kept in bounds: what lies in it, what goes and when, and whether it is whole."""
