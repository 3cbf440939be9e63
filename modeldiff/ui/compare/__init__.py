"""The page Compare: the answer on one screen, the numbers below it, and pairs of configs."""
