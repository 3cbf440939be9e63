"""The change as a whole model, on one sheet for the wall."""
