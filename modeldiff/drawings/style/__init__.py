"""Colours, type, scales and text widths that all drawings share."""
