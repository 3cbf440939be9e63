"""Painting the annotated diagram: from its boxes to the page."""
