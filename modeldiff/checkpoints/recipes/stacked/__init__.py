"""Codes whose parts lie one upon another in the bits of the same words, as HQQ and quanto pack."""
