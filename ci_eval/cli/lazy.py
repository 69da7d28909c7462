"""Command groups whose commands are imported when they are asked for: `--version` should not wait for `gate`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """`lazy` names commands by where they are defined, as in `ci_eval.cli.gate:gate`."""

    def __init__(self, *arguments: Any, lazy: Mapping[str, str], **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names in alphabetical order."""
        return sorted([*super().list_commands(ctx), *self._lazy])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now; None where there is none."""
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, _, name = self._lazy[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command
