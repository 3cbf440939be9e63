"""Parts of a page that know nothing of checkpoints."""
