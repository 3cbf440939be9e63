"""What whoever runs the program can set in its environment: one table, checked at the start."""
