"""The heatmap's page, its options and the panel behind a cell."""
