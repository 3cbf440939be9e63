"""``modeldiff cache``: what is kept on this machine."""
