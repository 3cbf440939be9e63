"""Facts of an architecture, compared and put into sentences."""
