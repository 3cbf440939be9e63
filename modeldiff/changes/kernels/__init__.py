"""The CPU kernels, in the part of Python that Numba compiles.

These modules are imported only to compile (see ``compiled``): importing them imports Numba. The
kernels take plain pointers and sizes, allocate nothing and call nothing of Python's, so their
object code can be stored and loaded again without Numba.

What a kernel does to a chunk of two tensors, run by run (``RUN`` elements), so that everything
between reading and counting stays in the first-level cache:

1. decode what is neither bfloat16 nor float32 to float32
2. ``vector_run``: the relative change ``r`` of each element, the run's sums, and which ``r`` fall
   into the bracket, while the ``r`` of the run before are counted in the histogram
3. where both sides are the same bits, ``equal_run`` in its place: one sum says all

Both are made of LLVM's instructions by hand, with ``run_builder``, in vectors of the width that the
processor has.

Sums of a run are made in float32 (sixteen partial sums side by side, so the rounding error is a few
units in the eighth digit) and added up in float64, leaf by leaf. Where float32 has no room for the
squares, and where a value is not finite, the run is done again by ``plain_run``, element by element
with sums in float64; so is what is shorter than a run. Which way a run goes is said by its values
and its length alone, and leaves are counted from the tensor's start: chunks and threads cannot
change a bit of any result.

Of the fast-math flags only those are on that cannot touch ``r``: sums may be reordered and products
fused into them. Reciprocals, and assumptions about NaN and infinity, stay off.
"""
