"""The gallery: pairs that were measured once, kept as small results to be looked at by anybody."""
