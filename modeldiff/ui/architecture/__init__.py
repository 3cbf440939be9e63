"""The architecture's page, section by section."""
