"""The annotated diagram of one model."""
