"""Files in object stores and at web servers: lists, states and ranges of bytes."""
