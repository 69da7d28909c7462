"""The response cache: a request that was made before is not made again.

Only first looks are answered from it. A confirmation is fresh by definition, a pull request on GitHub has no cache at
all, and what is older than a baseline may be is asked for anew.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ci_eval import __version__
from ci_eval.deadline import Deadline
from ci_eval.errors import UsageError
from ci_eval.providers.base import Provider, Reply, Request
from ci_eval.secrets import Secret
from ci_eval.text import Untrusted, canonical

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FIRST_FRESH = 1000
"""Repeats from this number on are confirmations: never read from the cache, never written to it."""

_FORMAT = 1
_TABLE = """
CREATE TABLE IF NOT EXISTS replies (
  key BLOB PRIMARY KEY, model TEXT NOT NULL, reply BLOB NOT NULL, seal BLOB NOT NULL, answered INTEGER NOT NULL,
  latency_ms REAL NOT NULL, used INTEGER NOT NULL, hits INTEGER NOT NULL DEFAULT 0
)"""
_LOCK_SECONDS = 5.0
_CLOCK_SKEW_SECONDS = 600

T = TypeVar("T")


@dataclass(frozen=True)
class ModelStats:
    """What the cache holds of one model."""

    model: Untrusted
    entries: int
    hits: int
    seconds_saved: float
    """What the hits took when the model was asked."""


@dataclass(frozen=True)
class Stats:
    """What the cache holds."""

    bytes: int
    """Of the file."""
    oldest: str | None
    """When the oldest answer was given; None when there is none."""
    models: tuple[ModelStats, ...]

    @property
    def entries(self) -> int:
        return sum(model.entries for model in self.models)

    @property
    def hits(self) -> int:
        return sum(model.hits for model in self.models)


class ResponseCache:
    """Replies in one SQLite file, for several processes and threads at once.

    A cache never ends a run: a damaged file is told and started anew, and one that cannot be used is told and left.
    """

    def __init__(
        self,
        path: Path,
        tell: Callable[[str], None],
        *,
        read: bool = True,
        private: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`read=False` only writes. Not `private`: later steps of the job, as another user, carry the file on."""
        self.path = path
        self._now = now
        self.private = private
        self._tell = tell
        self._read = read
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._off = False
        self._started_anew = False

    def get(self, key: bytes, seal_key: bytes, max_age: timedelta) -> Reply | None:
        """The reply to a request, unless it is too old or was not sealed with this key."""
        if not self._read:
            return None
        now = int(self._now())
        oldest, newest = now - int(max_age.total_seconds()), now + _CLOCK_SKEW_SECONDS
        rows = self._rows(
            "UPDATE replies SET hits = hits + 1, used = ? WHERE key = ? AND answered BETWEEN ? AND ? "
            "RETURNING reply, seal, answered",
            (now, key, oldest, newest),
        )
        return _opened(key, seal_key, *rows[0]) if rows else None

    def put(self, key: bytes, seal_key: bytes, model: str, reply: Reply, latency_ms: float) -> None:
        """Remember a reply in the place of an older one."""
        now = int(self._now())
        content = json.dumps(_reply_type().dump_python(reply, mode="json")).encode()
        row = (
            key,
            model.encode("utf-8", "replace").decode(),
            content,
            _seal(key, seal_key, content, now),
            now,
            latency_ms,
            now,
        )
        columns = "key, model, reply, seal, answered, latency_ms, used"
        statement = f"INSERT OR REPLACE INTO replies ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - our words
        self._do(lambda db: db.execute(statement, row), None)

    def stats(self) -> Stats:
        """Raises UsageError when the cache cannot be read."""
        rows = self._rows(
            "SELECT model, count(*), sum(hits), sum(hits * latency_ms), min(answered) FROM replies "
            "GROUP BY model ORDER BY count(*) DESC, model"
        )
        self._need_use()
        models = tuple(ModelStats(Untrusted(row[0]), row[1], row[2], round(row[3] / 1000, 1)) for row in rows)
        return Stats(self._size(), _as_time(min(row[4] for row in rows)) if rows else None, models)

    def prune(self, *, older_than: timedelta | None, max_bytes: int | None) -> int:
        """Forget old answers, then the least recently used until the file fits; returns how many.

        Raises UsageError when the cache cannot be used.
        """
        gone = 0
        if older_than is not None:
            limit = int(self._now() - older_than.total_seconds())
            gone += self._delete("DELETE FROM replies WHERE answered < ?", limit)
        while max_bytes is not None and self._size() > max_bytes:
            entries = self.stats().entries
            if not entries:
                break
            # Entries differ in size, so a share of them is a guess: a bit more each time, until it fits.
            share = max(1, round(entries * min(1.0, 1.05 - max_bytes / self._size())))
            least_used = "SELECT key FROM replies ORDER BY used, answered LIMIT ?"
            gone += self._delete(f"DELETE FROM replies WHERE key IN ({least_used})", share)  # noqa: S608 - our words
        return gone

    def close(self) -> None:
        with self._lock:
            self._disconnect()

    def _delete(self, statement: str, value: int) -> int:
        def delete(db: sqlite3.Connection) -> int:
            count = db.execute(statement, (value,)).rowcount
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return count

        gone = self._do(delete, 0)
        self._need_use()
        return gone

    def _size(self) -> int:
        rows = self._rows("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        return int(rows[0][0]) if rows else 0

    def _need_use(self) -> None:
        if self._off:
            raise UsageError(f"the response cache {self.path} cannot be used; correct what was just said, or remove it")

    def _rows(self, statement: str, values: tuple[object, ...] = ()) -> list[Any]:
        nothing: list[Any] = []
        return self._do(lambda db: db.execute(statement, values).fetchall(), nothing)

    # --- the file -----------------------------------------------------------------------------------------------------

    def _do(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        with self._lock:
            if self._off:
                return otherwise
            try:
                return work(self._connect())
            except (OSError, sqlite3.OperationalError) as error:
                self._leave(error.strerror or "" if isinstance(error, OSError) else str(error))
            except sqlite3.DatabaseError:
                self._start_anew()
            return otherwise

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.touch(mode=0o600)
            self.path.parent.chmod(0o700 if self.private else 0o755)
            self.path.chmod(0o600 if self.private else 0o644)  # SQLite gives its journal the same
            self._connection = sqlite3.connect(
                self.path, timeout=_LOCK_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._prepare(self._connection)
        return self._connection

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last answers, never the file
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version not in {0, _FORMAT}:
            raise sqlite3.DatabaseError("another format")
        db.execute(_TABLE)
        db.execute(f"PRAGMA user_version = {_FORMAT}")

    def _start_anew(self) -> None:
        self._disconnect()
        if self._started_anew:
            self._leave("it is damaged again")
            return
        self._started_anew = True
        self._tell(f"the response cache {self.path} is damaged or of another version; it is started anew")
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                self.path.with_name(self.path.name + suffix).unlink()

    def _leave(self, why: str) -> None:
        self._disconnect()
        self._off = True
        self._tell(f"the response cache {self.path} cannot be used ({why}); going on without it")

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


@dataclass(frozen=True)
class CachedProvider:
    """A provider whose answers are remembered. Errors are not answers; refusals and cut answers are."""

    provider: Provider
    cache: ResponseCache
    identity: str
    """What besides the request decides who answers: the wire format and where it is sent."""
    seal_key: bytes
    """Of the provider's key: only who holds that can have written an entry that is believed."""
    max_age: timedelta

    @classmethod
    def sealed(
        cls, provider: Provider, cache: ResponseCache, identity: str, secret: Secret | None, max_age: timedelta
    ) -> CachedProvider:
        """Without a key, entries are only checked for damage."""
        seal_key = secret.derived("ci-eval response cache") if secret else b""
        return cls(provider, cache, identity, seal_key, max_age)

    def complete(self, request: Request, repeat: int, deadline: Deadline) -> Reply:
        if repeat >= FIRST_FRESH or self.is_deterministic(request):
            return self.provider.complete(request, repeat, deadline)
        key = self._key(request, repeat)
        known = self.cache.get(key, self.seal_key, self.max_age)
        if known is not None:
            return known
        started = time.monotonic()
        reply = self.provider.complete(request, repeat, deadline)
        self.cache.put(key, self.seal_key, request.model, reply, (time.monotonic() - started) * 1000)
        return reply

    def is_deterministic(self, request: Request) -> bool:
        return self.provider.is_deterministic(request)

    def _key(self, request: Request, repeat: int) -> bytes:
        """Over all that decides an answer; our version is in it, for what is sent and read may change with it."""
        return hashlib.sha256(canonical([__version__, self.identity, request.digest, repeat]).encode()).digest()


@cache
def _reply_type() -> TypeAdapter[Reply]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - building it is for runs that use the cache

    return TypeAdapter(Reply)


def _seal(key: bytes, seal_key: bytes, content: bytes, answered: int) -> bytes:
    return hmac.digest(seal_key, b"%s%d:%s" % (key, answered, content), "sha256")


def _opened(key: bytes, seal_key: bytes, content: object, seal: object, answered: int) -> Reply | None:
    """A stored reply, if it is whole and was stored by someone who holds the key."""
    if not isinstance(content, bytes) or not isinstance(seal, bytes):
        return None
    if not hmac.compare_digest(seal, _seal(key, seal_key, content, answered)):
        return None
    try:
        return replace(_reply_type().validate_python(json.loads(content)), cached_at=_as_time(answered))
    except ValueError:  # of a version whose replies had another shape
        return None


def _as_time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
