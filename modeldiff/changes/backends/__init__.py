"""Who measures a chunk: the CPU's kernels or a torch device."""
