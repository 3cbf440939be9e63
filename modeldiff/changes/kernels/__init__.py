"""The CPU kernels, in the part of Python that Numba compiles.

These modules are imported only to compile (see ``compiled``): importing them imports Numba. The
kernels take plain pointers and sizes, allocate nothing and call nothing of Python's, so their
object code can be stored and loaded again without Numba.

What a kernel does to a chunk of two tensors, block by block so that everything between reading and
counting stays in the first-level cache:

1. decode both sides to float32; two sides of bfloat16, the usual case, are decoded by the next step
2. run by run (``RUN`` elements): the relative change ``r`` of each element, and the run's sums
3. count the block's ``r`` in the histogram, and keep those that fall into the bracket

Sums of a run are made in float32 (sixteen or more partial sums side by side, so the rounding error
is a few units in the eighth digit) and added up in float64, leaf by leaf. Where float32 has no room
for the squares, and where a value is not finite, the run is done again by ``careful_run``, element
by element with sums in float64. A run is careless or careful by its values alone, and leaves are
counted from the tensor's start: chunks and threads cannot change a bit of any result.

Of the fast-math flags only those are on that cannot touch ``r``: sums may be reordered and products
fused into them. Reciprocals, and assumptions about NaN and infinity, stay off.
"""
