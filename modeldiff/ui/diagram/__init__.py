"""The diagram's page."""
