"""Two models side by side, and a line of models."""
