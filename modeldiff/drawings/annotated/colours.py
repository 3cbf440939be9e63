"""The colours of the annotated diagram: a group of parts each, and the change upon them.

Groups were chosen by search for the largest least distance under normal vision, deuteranopia,
protanopia and tritanopia. They are named in words, too, and their parameters numbered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

from modeldiff.drawings.style.palette import DARK, LIGHT, Palette
from modeldiff.processes.late_dataclass import dataclass

Group = Literal["embedding", "norm", "attention", "mlp", "position"]
GROUPS: tuple[Group, ...] = get_args(Group)

_GROUPS: dict[str, dict[Group, str]] = {
    "light": {
        "embedding": "#5a5e61",
        "norm": "#3f3aa5",
        "attention": "#18778c",
        "mlp": "#675305",
        "position": "#5b1942",
    },
    "dark": {
        "embedding": "#bcc0c3",
        "norm": "#789ced",
        "attention": "#62dcea",
        "mlp": "#c6ad57",
        "position": "#c678a3",
    },
}
_TINT = {"light": 0.13, "dark": 0.16}
"""How much of a group's colour a card has over paper."""
_TURN = 0.1791
"""The luminance at which black and white read equally well."""


@dataclass(frozen=True)
class Colours:
    """The colours for a palette; for the page's, each is one for either theme."""

    palette: Palette

    def group(self, group: Group) -> str:
        """The lines and badges of a group."""
        return self._of(lambda theme, _: _GROUPS[theme][group])

    def tint(self, group: Group) -> str:
        """The ground of a group's cards."""
        return self._of(
            lambda theme, palette: mixed(palette.surface, _GROUPS[theme][group], _TINT[theme])
        )

    def block(self, group: Group) -> str:
        """What shares something drawn in the group's colour."""
        return self._of(lambda theme, palette: mixed(_GROUPS[theme][group], palette.surface, 0.28))

    def on_group(self, group: Group) -> str:
        """Ink on a badge."""
        return self._of(lambda theme, _: ink(_GROUPS[theme][group]))

    def heat(self, share: float, *, second: bool) -> tuple[str, str]:
        """The ground and the ink of a value at ``share`` (0 to 1) of its scale; ``second``: of
        norms and biases."""

        def ground(theme: str, palette: Palette) -> str:
            return along(palette.second if second else palette.ramp, share)

        return self._of(ground), self._of(lambda theme, palette: ink(ground(theme, palette)))

    def ramp(self, *, second: bool) -> tuple[str, ...]:
        """The colours from no change to the most, in concrete colours."""
        return self.palette.second if second else self.palette.ramp

    def _of(self, colour: Callable[[str, Palette], str]) -> str:
        if self.palette.follows_theme:
            return f"light-dark({colour('light', LIGHT)},{colour('dark', DARK)})"
        return colour("dark" if self.palette is DARK else "light", self.palette)


def ink(ground: str) -> str:
    """Black or white, whichever reads on this colour: at least 4.5 to 1 on any."""
    return "#ffffff" if _luminance(ground) < _TURN else "#000000"


def mixed(one: str, other: str, share: float) -> str:
    """A colour with a ``share`` of the other."""
    pairs = zip(_channels(one), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def along(ramp: Sequence[str], share: float) -> str:
    """The colour at ``share`` (0 to 1) of a ramp."""
    at = min(max(share, 0.0), 1.0) * (len(ramp) - 1)
    before = min(int(at), len(ramp) - 2)
    return mixed(ramp[before], ramp[before + 1], at - before)


def _channels(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


def _luminance(colour: str) -> float:
    """Relative luminance after WCAG 2."""
    linear = [
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in (channel / 255 for channel in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
