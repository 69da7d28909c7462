"""Run files: JSON lines, a header and then a record per answer, written while answers arrive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ci_eval import __version__
from ci_eval.errors import InputError
from ci_eval.reader import MIB, Document, Strict, appending, read_file, read_jsonl, validate, write_file
from ci_eval.records.record import Record
from ci_eval.records.run import Header, Run, safe_word
from ci_eval.text import canonical

# What was paid for must be readable: 100,000 answers of some pages, or a few thousand of the longest kind.
_FILE_LIMIT = 1024 * MIB


def to_line(item: Strict) -> str:
    return canonical(item.model_dump(mode="json", exclude_defaults=isinstance(item, Record)))


def to_bytes(run: Run) -> bytes:
    return "".join(f"{to_line(item)}\n" for item in (run.header, *run.records)).encode()


def read(path: Path) -> Run:
    """A run file that the user named; raises InputError."""
    return parse(read_file(path, limit=_FILE_LIMIT), str(path))


def read_interrupted(path: Path) -> Run | None:
    """The run without a last line that was cut off; None when not even the header is whole."""
    whole, _, _ = read_file(path, limit=_FILE_LIMIT).rpartition(b"\n")
    return parse(whole, str(path)) if whole else None


def parse(data: bytes, file: str) -> Run:
    """The run that a file holds; raises InputError for anything that is not whole."""
    documents = read_jsonl(data, file, limit=_FILE_LIMIT)
    if not documents:
        raise InputError("an empty run file", remedy="evaluate again", file=file, line=1)
    with _by_another_version(documents[0]):
        header = _header(documents[0])
        records = tuple(validate(Record, document) for document in documents[1:])
    _refuse_duplicates(records, documents[1:])
    return Run(header, records)


def parse_header(data: bytes, file: str) -> Header:
    """The first line alone; raises InputError."""
    documents = read_jsonl(data.partition(b"\n")[0], file)
    if not documents:
        raise InputError("an empty run file", remedy="evaluate again", file=file, line=1)
    with _by_another_version(documents[0]):
        return _header(documents[0])


def _header(document: Document) -> Header:
    value = document.value
    if not isinstance(value, dict) or "format" not in value:
        raise document.error((), "not a run file", "name what ci-eval run, merge or a gate wrote")
    return validate(Header, document)


@contextmanager
def _by_another_version(header: Document) -> Iterator[None]:
    """What another ci-eval wrote, and this one cannot read, is not for its reader to correct."""
    try:
        yield
    except InputError as error:
        version = safe_word(str(header.value.get("version", ""))) if isinstance(header.value, dict) else ""
        if version in {"", __version__}:
            raise
        remedy = f"ci-eval {version} wrote it, and this is {__version__}: evaluate again, or use that one"
        raise InputError(error.problem, remedy=remedy, file=error.file, line=error.line) from None


def _refuse_duplicates(records: Iterable[Record], documents: Iterable[Document]) -> None:
    seen: set[tuple[str, int]] = set()
    for record, document in zip(records, documents, strict=True):
        if (record.case, record.repeat) in seen:
            raise document.error((), f'case "{record.case}" twice in one repeat', "evaluate again")
        seen.add((record.case, record.repeat))


@dataclass(frozen=True)
class RunFile:
    """A run that is being written: complete up to the last record, whatever happens next."""

    path: Path

    def start(self, header: Header, kept: Iterable[Record] = ()) -> None:
        """Begin, with what is known already in it."""
        write_file(self.path, to_bytes(Run(header, tuple(kept))))

    def add(self, record: Record) -> None:
        with self.adding() as add:
            add(record)

    @contextmanager
    def adding(self) -> Iterator[Callable[[Record], None]]:
        """Adds records, each as a whole line that is on its way to the disk when the call returns."""
        with appending(self.path) as append:
            yield lambda record: append(f"{to_line(record)}\n")
