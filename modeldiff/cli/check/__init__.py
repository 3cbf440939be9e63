"""``modeldiff check``: the verdict on a diff as words, JSON, JUnit XML and Markdown."""
