"""The annotated diagram: a layer from left to right, its heads drawn, its parameters listed."""
