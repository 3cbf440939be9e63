"""Many targets beside one base: measured together, kept one by one, told in one table."""
