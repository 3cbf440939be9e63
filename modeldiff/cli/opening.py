"""Checkpoints opened for a command, with what is odd about them said."""

from __future__ import annotations

from argparse import Namespace

from modeldiff.cli.terminal import Terminal
from modeldiff.comparison import Comparison
from modeldiff.model import Model


def open_both(options: Namespace, terminal: Terminal) -> Comparison:
    """``options.base`` and ``options.target``, their layers paired as ``options.layers`` says."""
    base, target = open_one(options.base, terminal), open_one(options.target, terminal)
    return Comparison(base, target, layers=options.layers)


def open_one(reference: str, terminal: Terminal) -> Model:
    """What ``reference`` names; oddities are told as warnings."""
    model = Model.open(reference)
    for warning in model.checkpoint.warnings:
        terminal.talk(f"warning: {model.reference}: {warning}")
    return model
