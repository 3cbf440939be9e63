"""The version of the program; results and caches of another are not mixed with its own."""

__version__ = "0.1.0"
