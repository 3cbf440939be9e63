"""INTERPRET: what the rows of a comparison say, in sentences that the numbers bear out."""
