"""Documents and rows in any of the formats, chosen by the end of the file's name."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator

from ci_eval.errors import InputError
from ci_eval.reader.documents import (
    CONFIG_LIMIT,
    ROWS_LIMIT,
    Document,
    Path_,
    decode,
    without_hidden_breaks,
)
from ci_eval.reader.json_text import Refused, each_json_line, parse_json, read_json
from ci_eval.reader.yaml_text import read_yaml
from ci_eval.text import JSON


def read_document(data: bytes, file: str, *, limit: int = CONFIG_LIMIT) -> Document:
    """YAML or JSON, by the file's name."""
    return read_json(data, file, limit=limit) if file.endswith(".json") else read_yaml(data, file, limit=limit)


def read_rows(data: bytes, file: str) -> list[Document]:
    """The rows of a JSONL, JSON, YAML or CSV file, each with its line."""
    return list(each_row(data, file))


def each_row(data: bytes, file: str, refused: Refused | None = None) -> Iterable[Document]:
    """The same one by one: a long JSONL or CSV file is never there as a whole list of values.

    With `refused`, a line of JSONL that cannot be read is handed to it, and does not end the file.
    """
    if file.endswith((".yaml", ".yml", ".json")):
        return _rows_of(read_document(data, file, limit=ROWS_LIMIT))
    return _read_csv(data, file) if file.endswith(".csv") else each_json_line(data, file, refused=refused)


def _rows_of(document: Document) -> list[Document]:
    if not isinstance(document.value, list):
        raise document.error((), "not a list of rows", "write a list, one item a row")
    lines: dict[str | int, dict[Path_, int]] = defaultdict(dict)
    for path, line in document.lines.items():
        if path:
            lines[path[0]][path[1:]] = line
    return [
        Document(document.file, value, document.line((index,)), lines[index])
        for index, value in enumerate(document.value)
    ]


def _read_csv(data: bytes, file: str) -> Iterator[Document]:
    """A cell that starts with { or [ is JSON; an empty cell is not there."""
    text = without_hidden_breaks(decode(data.removeprefix(b"\xef\xbb\xbf"), file), file)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        names = next(rows, [])
        if len(set(names)) != len(names) or (names and not all(names)):
            raise InputError("two columns of one name, or one without", remedy="name each once", file=file, line=1)
        line = rows.line_num + 1
        for cells in rows:
            if cells and len(cells) != len(names):
                raise InputError("more or fewer cells than columns", remedy="quote the commas", file=file, line=line)
            if cells:
                row = {name: _csv_cell(cell, file, line) for name, cell in zip(names, cells, strict=True) if cell}
                yield Document(file, row, line)
            line = rows.line_num + 1
    except csv.Error as error:
        raise InputError(f"not CSV: {error}", remedy="correct the quoting", file=file, line=line) from None


def _csv_cell(text: str, file: str, line: int) -> JSON:
    return parse_json(text, file, first_line=line) if text[:1] in {"{", "["} else text
