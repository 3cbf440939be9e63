"""The child's script: one drawing through vl-convert, under limits of its own.

It is run by its path, not imported, and imports nothing of modeldiff. What it draws ends with a
panic or a fault in foreign code at worst this process. Arguments: ``png`` or ``pdf``, the scale of
a PNG, the folder of fonts, and the limits in seconds of a processor and bytes of memory. Standard
input is an SVG.
"""

from __future__ import annotations

import contextlib
import sys


def convert() -> None:
    """Read, draw, write."""
    kind, scale, fonts, cpu_seconds, memory = sys.argv[1:]
    import vl_convert

    with contextlib.suppress(ImportError):  # Windows: the parent's clock alone
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_seconds),) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (int(memory),) * 2)
    content = sys.stdin.buffer.read().decode()
    vl_convert.register_font_directory(fonts)
    if kind == "png":
        drawing = vl_convert.svg_to_png(content, scale=float(scale))
    else:
        drawing = vl_convert.svg_to_pdf(content)
    sys.stdout.buffer.write(drawing)


if __name__ == "__main__":
    convert()
