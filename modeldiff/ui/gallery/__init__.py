"""The gallery: pairs that were measured before, side by side."""
