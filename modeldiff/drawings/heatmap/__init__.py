"""The heatmap: layers × components."""
