"""Models of which there is a config.json and no weights."""
