"""Results as documents and files for others."""
