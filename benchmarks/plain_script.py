"""What one would write in an afternoon: load both, convert, divide, take the median."""

import sys
from pathlib import Path

from safetensors import safe_open

base, target = (sorted(Path(folder).glob("*.safetensors")) for folder in sys.argv[1:3])
for one, other in zip(base, target, strict=True):
    with safe_open(one, "pt") as a_file, safe_open(other, "pt") as b_file:
        for name in a_file.keys():  # noqa: SIM118 - not a dictionary
            a, b = a_file.get_tensor(name).float(), b_file.get_tensor(name).float()
            median = ((b - a).abs() / a.abs()).flatten().median()
            print(name, f"{100 * median.item():.2f} %")
