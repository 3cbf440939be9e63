"""Checkpoints opened for a command, with what is odd about them said."""

from __future__ import annotations

from argparse import Namespace

from modeldiff.cli.terminal import Terminal
from modeldiff.comparison import Comparison
from modeldiff.model import Model


def open_both(options: Namespace, terminal: Terminal) -> Comparison:
    """``options.base`` and ``options.target``, their layers paired as ``options.layers`` says."""
    download = not getattr(options, "stream", False)
    base, target = (
        open_one(reference, terminal, download=download)
        for reference in (options.base, options.target)
    )
    return Comparison(base, target, layers=options.layers)


def open_one(reference: str, terminal: Terminal, *, download: bool = True) -> Model:
    """What ``reference`` names, its weights to be downloaded where they are at the Hub, or read
    there; oddities are told as warnings."""
    model = Model.open(reference, download=download)
    for warning in model.checkpoint.warnings:
        terminal.talk(f"warning: {model.reference}: {warning}")
    return model
