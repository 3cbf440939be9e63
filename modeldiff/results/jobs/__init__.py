"""Diffs and drill-downs that run in the background of the app."""
