"""The fleet: kept results that share a base, in one table with small heatmaps."""
