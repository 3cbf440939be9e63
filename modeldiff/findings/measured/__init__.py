"""What was measured, in sentences: broken values, the spread, depth, layers and rows that met."""
