"""One place of the model: its explanation, statistics and profile over the layers."""
