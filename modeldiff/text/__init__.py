"""Ground: numbers, names and quotations as people read them, the same on every floor."""
