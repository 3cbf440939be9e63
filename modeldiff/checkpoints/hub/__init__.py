"""Repositories on the Hugging Face Hub."""
