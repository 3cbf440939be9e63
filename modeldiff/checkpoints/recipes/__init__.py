"""How stored bytes become values, where they are not the values themselves."""
