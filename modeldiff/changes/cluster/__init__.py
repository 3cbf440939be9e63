"""Measuring on many machines: tasks that travel, what a node makes of them, and the cluster."""
