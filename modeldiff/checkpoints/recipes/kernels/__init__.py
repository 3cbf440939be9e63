"""What decodes stored blocks, in the part of Python that Numba compiles.

These modules are imported only to compile: importing them imports Numba. Two rules make them four
times as fast (measured): an index is unsigned, for of a signed one LLVM can't tell that it does not
count from the end, and no slice is made but for a tile of thousands. With either it gives up on
vectors. Nothing is reordered or fused, so that each value is what the format's own decoder
computes.
"""
