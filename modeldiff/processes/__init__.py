"""Ground: child processes with limits, for what would else end, block or fill this one."""
