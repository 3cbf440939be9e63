"""``modeldiff completion``: scripts by which shells complete commands, made from the parser."""
