"""Adapters of PEFT: small updates to the weights of a model that lies elsewhere."""
