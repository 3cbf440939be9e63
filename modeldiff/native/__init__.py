"""Machine code of this project's own kernels: compiled once a machine, kept where nobody else can
write, loaded without the compiler."""
