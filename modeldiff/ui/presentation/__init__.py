"""The presentation: what the pages show, one view a screen."""
