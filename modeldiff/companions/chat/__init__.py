"""Two chat templates: their sources, and the same conversations written by both."""
