"""Whether target's tensor is base's put in another order, scaled or turned, told by samples."""
