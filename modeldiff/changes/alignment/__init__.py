"""Which layer of target is which layer of base, told by their values."""
