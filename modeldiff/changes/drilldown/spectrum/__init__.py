"""The singular values of a change, through panels of fixed size."""
