"""Machine code of this project's own kernels: compiled once a machine, kept where nobody else can
write, loaded without the compiler; and an answer to bus errors in memory that files are mapped to.
"""
