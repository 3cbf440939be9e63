"""The heatmap as SVG: where everything stands, and how it is written."""
