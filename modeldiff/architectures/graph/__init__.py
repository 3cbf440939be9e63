"""How data flows through the nodes of an architecture."""
