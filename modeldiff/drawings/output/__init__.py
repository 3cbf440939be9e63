"""Drawings as files: PNG, SVG, PDF."""
