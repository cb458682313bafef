"""All commands by their words, those inside groups too: `mix`, `evaluate segmentation`."""

from __future__ import annotations

from importlib import import_module

import click

from cli import main

_TOP: dict[str, click.Command] = {name: import_module(home).command for name, home in main.COMMANDS.items()}

GROUPS: dict[str, click.Group] = {name: found for name, found in _TOP.items() if isinstance(found, click.Group)}
COMMANDS: dict[str, click.Command] = {
    **{name: found for name, found in _TOP.items() if name not in GROUPS},
    **{f"{name} {inner}": command for name, group in GROUPS.items() for inner, command in group.commands.items()},
}
