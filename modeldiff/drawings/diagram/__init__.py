"""What drawings of an architecture share: boxes, what they read, and how rows are arranged."""
