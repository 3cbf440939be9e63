"""What stands around every page: the bar of pages, the pair with its chooser, both in cards."""
