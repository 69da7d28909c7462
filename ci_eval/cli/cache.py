"""`ci-eval cache`: the response cache, and the options by which commands use it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ci_eval.errors import UsageError
from ci_eval.text import log

if TYPE_CHECKING:
    from ci_eval.runner.cache import ResponseCache, Stats

Command = TypeVar("Command", bound=Callable[..., Any])


def cache_options(command: Command) -> Command:
    """`--no-cache` and `--refresh`."""
    command = click.option("--refresh", is_flag=True, help="Ask anew, and remember the new answers.")(command)
    return click.option("--no-cache", is_flag=True, help="Neither use remembered answers nor remember any.")(command)


def chosen_cache(*, no_cache: bool, refresh: bool) -> ResponseCache | None:
    """The cache that a command may use: none in a job on GitHub, where what lies in it came from elsewhere."""
    if no_cache and refresh:
        raise UsageError("--no-cache and --refresh exclude each other; choose one")
    folder = cache_folder(os.environ)
    if no_cache or folder is None or os.environ.get("GITHUB_ACTIONS") == "true":
        return None
    return _opened(folder, read=not refresh)


def cache_folder(environ: Mapping[str, str]) -> Path | None:
    """`ci-eval` below `$XDG_CACHE_HOME`, or below `~/.cache`; None where there is no home."""
    for variable, below in (("XDG_CACHE_HOME", ""), ("HOME", ".cache")):
        if environ.get(variable, "").startswith("/"):  # the specification tells to ignore relative paths
            return Path(environ[variable], below, "ci-eval")
    return None


def _opened(folder: Path, *, read: bool = True) -> ResponseCache:
    from ci_eval.runner.cache import ResponseCache

    cache = ResponseCache(folder / "responses.sqlite", warn, read=read)
    click.get_current_context().call_on_close(cache.close)
    return cache


def warn(message: str) -> None:
    click.echo(f"ci-eval: {log(message)}", err=True)


def _existing() -> ResponseCache:
    folder = cache_folder(os.environ)
    if folder is None:
        raise UsageError("there is no place for a cache; set XDG_CACHE_HOME or HOME")
    return _opened(folder)


@click.group()
def cache() -> None:
    """Look after the response cache.

    run, gate and baseline update remember on this machine what models answered, so that the same request is not made
    and paid for twice. Confirmations always ask anew, and no job on GitHub uses this cache.
    """


@cache.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def stats(as_json: bool) -> int:
    """Say what is in it."""
    kept = _existing()
    found = kept.stats()
    if as_json:
        click.echo(json.dumps({"path": str(kept.path), **_as_json(found)}, ensure_ascii=True, indent=2))
        return 0
    click.echo(
        f"{log(str(kept.path))}: {_count(found.entries, 'answer')}, {found.bytes / 1e6:.1f} MB, {found.hits} hits"
    )
    if found.models:
        from tabulate import tabulate

        rows = [[log(row.model, limit=60), row.entries, row.hits, f"{row.seconds_saved:.0f}"] for row in found.models]
        click.echo(f"oldest answer: {found.oldest}")
        click.echo(tabulate(rows, ["model", "answers", "hits", "seconds saved"], disable_numparse=True))
    return 0


def _as_json(found: Stats) -> dict[str, Any]:
    models = [
        {"model": row.model.reveal(), "entries": row.entries, "hits": row.hits, "seconds_saved": row.seconds_saved}
        for row in found.models
    ]
    return {
        "entries": found.entries,
        "bytes": found.bytes,
        "hits": found.hits,
        "oldest": found.oldest,
        "models": models,
    }


@cache.command()
@click.option("--older-than", "days", type=click.IntRange(0), metavar="DAYS", help="Forget answers older than this.")
@click.option("--max-mb", type=click.IntRange(0), metavar="N", help="Forget what was least used until N MB are left.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def prune(days: int | None, max_mb: int | None, as_json: bool) -> int:
    """Forget answers."""
    from datetime import timedelta

    if days is None and max_mb is None:
        raise UsageError("nothing to forget was named; add --older-than DAYS or --max-mb N (0 forgets everything)")
    older_than = None if days is None else timedelta(days=days)
    kept = _existing()
    gone = kept.prune(older_than=older_than, max_bytes=None if max_mb is None else max_mb * 1_000_000)
    left = kept.stats()
    if as_json:
        click.echo(json.dumps({"forgotten": gone, **_as_json(left)}, ensure_ascii=True, indent=2))
    else:
        click.echo(f"forgot {_count(gone, 'answer')}; {_count(left.entries, 'answer')} left, {left.bytes / 1e6:.1f} MB")
    return 0


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
