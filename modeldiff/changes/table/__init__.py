"""The change table: all rows of a comparison, its indexes, and its forms as Arrow and pandas."""
