"""The charts beside the heatmap."""
