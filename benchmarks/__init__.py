"""How fast and in how much memory pairs of real size are compared, beside other ways to do it."""
