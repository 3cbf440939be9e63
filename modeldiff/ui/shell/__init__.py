"""What stands around every page: sidebar, header, the cards of both checkpoints."""
