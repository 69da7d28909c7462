"""The response cache: what is remembered, for whom, for how long, and what happens when its file is bad."""

from __future__ import annotations

import json
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import PATIENT, Scripted, refusing, reply

from ci_eval.deadline import Deadline
from ci_eval.errors import UsageError
from ci_eval.providers.base import Message, ProviderError, Reply, Request, ToolCall, Usage
from ci_eval.runner.cache import FIRST_FRESH, CachedProvider, ResponseCache
from ci_eval.secrets import Secret
from ci_eval.text import Untrusted

DAYS = timedelta(days=14)
ASKED = Request("p", "m", (Message("user", "Hello"),), {"temperature": 0})
HOME = '{"api":"openai","base_url":null}'
KEY = Secret("sk-canary-7f3a9c51d0")
NOON = 1_780_000_000.0


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.seconds = NOON

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def said() -> list[str]:
    return []


Open = Callable[..., ResponseCache]


@pytest.fixture
def opened(tmp_path: Path, said: list[str]) -> Iterator[Open]:
    """Opens the one cache of a test, as often as it likes."""
    caches = []

    def again(**options: Any) -> ResponseCache:
        caches.append(ResponseCache(tmp_path / "ci-eval" / "responses.sqlite", said.append, **options))
        return caches[-1]

    yield again
    for each in caches:
        each.close()


def behind(
    cache: ResponseCache, provider: Scripted, *, identity: str = HOME, key: Secret | None = KEY
) -> CachedProvider:
    return CachedProvider.sealed(provider, cache, identity, key, DAYS)


def ask(provider: CachedProvider, request: Request = ASKED, repeat: int = 0) -> Reply:
    return provider.complete(request, repeat, Deadline.after(PATIENT))


# --- what is remembered -----------------------------------------------------------------------------------------------


def test_the_same_request_is_made_once(opened: Open, said: list[str]) -> None:
    provider = Scripted()
    clock = Clock()
    first = ask(behind(opened(now=clock), provider))
    second = ask(behind(opened(now=clock), provider))
    assert (first.cached_at, second.cached_at) == (None, "2026-05-28T20:26:40Z")
    assert replace(second, cached_at=None) == first == reply()
    assert (len(provider.asked), said) == (1, [])


OTHERS = {
    "model": replace(ASKED, model="m2"),
    "words": replace(ASKED, messages=(Message("user", "Hello!"),)),
    "role": replace(ASKED, messages=(Message("assistant", "Hello"),)),
    "parameter": replace(ASKED, parameters={"temperature": 0.1}),
    "further parameter": replace(ASKED, parameters={"temperature": 0, "max_tokens": 5}),
    "training rows": replace(ASKED, train_digest="0" * 64),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_another_request_is_made(other: Request, opened: Open) -> None:
    provider = Scripted()
    cached = behind(opened(), provider)
    ask(cached)
    assert ask(cached, other).cached_at is None
    assert len(provider.asked) == 2


def test_another_repeat_is_another_request(opened: Open) -> None:
    """Five repeats of main are five draws, also the second time."""
    provider = Scripted(lambda _, repeat: reply(f"draw {repeat}"))
    cached = behind(opened(), provider)
    for _ in range(2):
        assert [ask(cached, repeat=n).text.text() for n in range(5)] == [f"draw {n}" for n in range(5)]
    assert len(provider.asked) == 5


def test_the_same_words_to_another_host_are_another_request(opened: Open) -> None:
    provider = Scripted()
    cache = opened()
    ask(behind(cache, provider))
    ask(behind(cache, provider, identity='{"api":"openai","base_url":"http://localhost:8000/v1"}'))
    ask(behind(cache, provider, identity='{"api":"azure","base_url":null}'))
    assert len(provider.asked) == 3


def test_errors_are_not_answers(opened: Open) -> None:
    broken, well = Scripted(refusing("HTTP 503")), Scripted()
    cache = opened()
    for about_request in (False, True):
        broken.says = refusing("HTTP 400", about_request=about_request)
        with pytest.raises(ProviderError):
            ask(behind(cache, broken))
    assert ask(behind(cache, well)).cached_at is None


@pytest.mark.parametrize("finish", ["refusal", "length"])
def test_refusals_and_cut_answers_are_answers(finish: str, opened: Open) -> None:
    provider = Scripted(lambda *_: reply("no", finish))
    cached = behind(opened(), provider)
    ask(cached)
    assert ask(cached).finish == finish
    assert len(provider.asked) == 1


@pytest.mark.parametrize("repeat", [FIRST_FRESH, FIRST_FRESH + 1])
def test_a_confirmation_is_always_fresh(repeat: int, opened: Open) -> None:
    provider = Scripted()
    cache = opened()
    cached = behind(cache, provider)
    assert [ask(cached, repeat=repeat).cached_at for _ in range(2)] == [None, None]
    assert len(provider.asked) == 2
    assert cache.stats().entries == 0


def test_what_can_be_computed_again_is_not_stored(opened: Open) -> None:
    cache = opened()
    ask(behind(cache, Scripted(deterministic=True)))
    assert not cache.path.exists()


def test_refresh_asks_anew_and_remembers_the_new_answer(opened: Open) -> None:
    ask(behind(opened(), Scripted(lambda *_: reply("old"))))
    assert ask(behind(opened(read=False), Scripted(lambda *_: reply("new")))).text.text() == "new"
    assert ask(behind(opened(), Scripted(refusing()))).text.text() == "new"


@pytest.mark.parametrize(("later", "kept"), [(DAYS, True), (DAYS + timedelta(seconds=1), False)])
def test_an_answer_serves_as_long_as_a_baseline(later: timedelta, kept: bool, opened: Open) -> None:
    clock = Clock()
    cached = behind(opened(now=clock), Scripted())
    ask(cached)
    clock.seconds += later.total_seconds()
    assert (ask(cached).cached_at is not None) is kept


def test_an_answer_of_the_future_does_not_serve(opened: Open) -> None:
    """Or a clock that was wrong for an hour would keep it for good."""
    clock = Clock()
    cached = behind(opened(now=clock), Scripted())
    clock.seconds += 3600
    ask(cached)
    clock.seconds -= 3600
    assert ask(cached).cached_at is None


@settings(deadline=None)  # a file is made each time
@given(
    text=st.text(st.characters(codec=None, exclude_categories=())),
    finish=st.sampled_from(["stop", "length", "refusal"]),
    numbers=st.lists(st.none() | st.integers(0, 2**53), min_size=4, max_size=4),
    calls=st.lists(st.builds(ToolCall, st.text().map(Untrusted), st.text().map(Untrusted)), max_size=3).map(tuple),
)
def test_whatever_was_answered_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    text: str,
    finish: Any,
    numbers: list[int | None],
    calls: tuple[ToolCall, ...],
) -> None:
    """Also halves of surrogate pairs, where a model was cut off."""
    answer = Reply(Untrusted(text), finish, Usage(*numbers), calls)
    cache = ResponseCache(tmp_path_factory.mktemp("cache") / "c" / "responses.sqlite", pytest.fail)
    cached = behind(cache, Scripted(lambda *_: answer), key=None)
    ask(cached)
    found = ask(cached)
    cache.close()
    assert found.cached_at is not None
    assert replace(found, cached_at=None) == answer


# --- whom it believes -------------------------------------------------------------------------------------------------


def change(cache: ResponseCache, statement: str) -> None:
    cache.close()
    db = sqlite3.connect(cache.path)
    db.execute(statement)
    db.commit()
    db.close()


@pytest.mark.parametrize(
    "forgery",
    [
        """UPDATE replies SET reply = replace(reply, 'yes', 'no!')""",
        "UPDATE replies SET answered = answered + 1",
        "UPDATE replies SET seal = zeroblob(32)",
        "UPDATE replies SET seal = ''",
        "UPDATE replies SET reply = 'text'",
        "UPDATE replies SET reply = CAST('null' AS BLOB)",
    ],
)
def test_an_entry_that_somebody_else_wrote_is_not_believed(forgery: str, opened: Open) -> None:
    cache, provider = opened(), Scripted()
    ask(behind(cache, provider))
    change(cache, forgery)
    assert ask(behind(opened(), provider)).cached_at is None
    assert ask(behind(opened(), provider)).cached_at is not None


def test_an_entry_moved_to_another_request_is_not_believed(opened: Open) -> None:
    cache, provider = opened(), Scripted()
    cached = behind(cache, provider)
    ask(cached)
    ask(cached, repeat=1)
    change(cache, "UPDATE replies SET reply = (SELECT reply FROM replies LIMIT 1), seal = (SELECT seal FROM replies)")
    again = behind(opened(), provider)
    assert sorted(ask(again, repeat=n).cached_at is None for n in range(2)) == [False, True]


def test_an_entry_of_another_key_is_not_believed(opened: Open) -> None:
    provider = Scripted()
    ask(behind(opened(), provider, key=Secret("sk-other")))
    assert ask(behind(opened(), provider)).cached_at is None


def test_the_key_is_not_in_the_file(opened: Open) -> None:
    cache = opened()
    ask(behind(cache, Scripted()))
    cache.close()
    assert b"canary" not in cache.path.read_bytes()


# --- the file ---------------------------------------------------------------------------------------------------------


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_nobody_else_can_read_what_models_said(opened: Open, tmp_path: Path) -> None:
    folder = tmp_path / "ci-eval"
    folder.mkdir(mode=0o755)
    cache = opened()
    ask(behind(cache, Scripted()))
    assert mode(folder) == 0o700
    assert {path.name: mode(path) for path in folder.iterdir()} == {
        "responses.sqlite": 0o600,
        "responses.sqlite-wal": 0o600,
        "responses.sqlite-shm": 0o600,
    }


def test_on_github_the_step_that_keeps_it_can_read_it(opened: Open) -> None:
    cache = opened(private=False)
    ask(behind(cache, Scripted()))
    assert (mode(cache.path.parent), mode(cache.path)) == (0o755, 0o644)


def lost_end(content: bytes) -> bytes:
    return content[: len(content) // 2]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "no database": lambda _: b"not a database, but long enough to be read as one" * 100,
    "torn": lost_end,
    "zeros within": lambda content: content[:100] + bytes(4000) + content[4100:],
    "noise": lambda content: content[:2048] + b"\xa5" * (len(content) - 2048),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_told_and_started_anew(
    damage: Callable[[bytes], bytes], opened: Open, said: list[str]
) -> None:
    cache, provider = opened(), Scripted()
    for repeat in range(20):
        ask(behind(cache, provider), repeat=repeat)
    cache.close()
    cache.path.write_bytes(damage(cache.path.read_bytes()))

    after = opened()
    assert ask(behind(after, provider)).text.text() == "yes"
    assert ask(behind(after, provider)).text.text() == "yes"
    assert said == [f"the response cache {cache.path} is damaged or of another version; it is started anew"]
    assert ask(behind(opened(), Scripted(refusing()))).cached_at is not None


def test_a_file_of_another_version_is_started_anew(opened: Open, said: list[str]) -> None:
    cache = opened()
    ask(behind(cache, Scripted()))
    change(cache, "PRAGMA user_version = 99")
    ask(behind(opened(), Scripted()))
    assert len(said) == 1
    assert ask(behind(opened(), Scripted(refusing()))).cached_at is not None


def test_a_cache_that_cannot_be_used_is_told_once_and_left(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "ci-eval").write_text("a file where a folder should be", encoding="utf-8")
    cache = ResponseCache(tmp_path / "ci-eval" / "responses.sqlite", said.append)
    provider = Scripted()
    for _ in range(3):
        assert ask(behind(cache, provider)).text.text() == "yes"
    assert len(provider.asked) == 3
    assert said == [f"the response cache {cache.path} cannot be used (File exists); going on without it"]
    with pytest.raises(UsageError, match="cannot be used"):
        cache.stats()


def test_many_threads_share_one_cache(opened: Open, said: list[str]) -> None:
    provider = Scripted(lambda _, repeat: reply(str(repeat)))
    cached = behind(opened(), provider)
    wrong: list[int] = []

    def work() -> None:
        wrong.extend(n for n in range(40) if ask(cached, repeat=n).text.text() != str(n))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (wrong, said) == ([], [])
    assert cached.cache.stats().entries == 40


PROCESS = """
import sys
from pathlib import Path
from datetime import timedelta
from ci_eval.runner.cache import CachedProvider, ResponseCache
from ci_eval.deadline import Deadline
from ci_eval.providers.base import Message, Reply, Request
from ci_eval.text import Untrusted

class Model:
    def complete(self, request, repeat, deadline):
        return Reply(Untrusted(str(repeat)), "stop")
    def is_deterministic(self, request):
        return False

cache = ResponseCache(Path(sys.argv[1]), sys.exit)
provider = CachedProvider.sealed(Model(), cache, "home", None, timedelta(days=1))
request = Request("p", "m", (Message("user", "Hello"),))
for repeat in range(60):
    assert provider.complete(request, repeat, Deadline.after(60)).text.text() == str(repeat)
"""


def test_many_processes_share_one_cache(tmp_path: Path) -> None:
    path = tmp_path / "ci-eval" / "responses.sqlite"
    running = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", PROCESS, str(path)], stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    ended = [(process.communicate()[1], process.returncode) for process in running]
    assert ended == [(b"", 0)] * 4
    cache = ResponseCache(path, pytest.fail)
    assert cache.stats().entries == 60
    cache.close()


# --- stats and prune --------------------------------------------------------------------------------------------------


def test_stats_count_answers_and_hits_by_model(opened: Open) -> None:
    clock = Clock()
    cache = opened(now=clock)
    cached = behind(cache, Scripted())
    for repeat in range(3):
        ask(cached, repeat=repeat)
    clock.seconds += 60
    ask(cached, replace(ASKED, model="other"))
    for _ in range(2):
        ask(cached)
    found = cache.stats()
    assert [(row.model.text(), row.entries, row.hits) for row in found.models] == [("m", 3, 2), ("other", 1, 0)]
    assert (found.entries, found.hits, found.oldest) == (4, 2, "2026-05-28T20:26:40Z")
    assert found.bytes > 0


def test_prune_forgets_what_is_old(opened: Open) -> None:
    clock = Clock()
    cache = opened(now=clock)
    cached = behind(cache, Scripted())
    ask(cached)
    clock.seconds += 86_400 + 1
    ask(cached, repeat=1)
    assert cache.prune(older_than=timedelta(days=1), max_bytes=None) == 1
    assert ask(cached, repeat=1).cached_at is not None
    assert ask(cached).cached_at is None


def test_prune_to_a_size_forgets_what_was_least_used(opened: Open) -> None:
    clock = Clock()
    cache = opened(now=clock)
    cached = behind(cache, Scripted(lambda _, repeat: reply(json.dumps(repeat) + "x" * 10_000)))
    for repeat in range(100):
        clock.seconds += 1
        ask(cached, repeat=repeat)
    clock.seconds += 1
    ask(cached)  # the oldest, but used just now
    gone = cache.prune(older_than=None, max_bytes=500_000)
    assert 0 < gone < 80
    assert cache.stats().bytes <= 500_000
    assert ask(cached).cached_at is not None
    assert ask(cached, repeat=99).cached_at is not None
    assert ask(cached, repeat=1).cached_at is None


def test_prune_to_nothing_forgets_everything(opened: Open) -> None:
    cache = opened()
    ask(behind(cache, Scripted()))
    assert cache.prune(older_than=None, max_bytes=0) == 1
    assert cache.stats().entries == 0
