"""The naming families that are described, one description a module."""
