"""Ground: files that are written whole or not at all, and where they are kept."""
