"""A child process with limits, for what would else run code or work of strangers in this one."""
