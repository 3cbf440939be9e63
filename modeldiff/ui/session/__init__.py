"""What a session holds: the entry, the chosen pair, its opened models, the view in the URL."""
