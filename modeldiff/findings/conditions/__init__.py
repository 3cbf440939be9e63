"""Conditions on a change table, as people write them on the command line, and their verdicts."""
