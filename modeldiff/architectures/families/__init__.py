"""How the naming of a family of models is described."""
