"""The heatmap in a terminal."""
