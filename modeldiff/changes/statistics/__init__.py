"""The statistics of a pair, and how those of parts add up."""
