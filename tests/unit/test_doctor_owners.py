"""CODEOWNERS, by the examples of GitHub's own page and by what it says does not work."""

from __future__ import annotations

import pytest
from making import held

from ci_eval.doctor import owners
from ci_eval.errors import InputError

DOCS = """\
# a comment
*       @global-owner1 @global-owner2
*.js    @js-owner #This is an inline comment.
*.go docs@example.com
/build/logs/ @doctocat
docs/* docs@example.com
apps/ @octocat
/scripts/ @doctocat @octocat
**/logs @octocat
/apps/github
/golden/**/secret* @octocat
"""


def owned(text: str, path: str) -> bool:
    found = owners.load(held({".github/CODEOWNERS": text}))
    assert found is not None
    return found.owns(path)


def only(line: str, path: str) -> bool:
    return owned(f"{line}\n", path)


@pytest.mark.parametrize(
    ("line", "path", "expected"),
    [
        ("* @a", "deep/down/file.txt", True),
        ("*.js @a", "web/app.js", True),
        ("*.js @a", "web/app.jsx", False),
        ("/build/logs/ @a", "build/logs/x/y.log", True),
        ("/build/logs/ @a", "deep/build/logs/y.log", False),
        ("docs/* @a", "docs/getting-started.md", True),
        ("docs/* @a", "docs/build-app/troubleshooting.md", False),
        ("apps/ @a", "deep/apps/x.py", True),
        ("**/logs @a", "deep/logs/x", True),
        ("**/logs @a", "logs", True),
        ("/docs @a", "docs/x", True),
        (".github/ @a", ".github/workflows/eval.yml", True),
        ("/.github/workflows @a", ".github/workflows/eval.yml", True),
        (".github/workflows/*.yml @a", ".github/workflows/eval.yml", True),
        ("/.GitHub/ @a", ".github/workflows/eval.yml", False),  # paths have a case
        ("/golden/ a@example.com", "golden/a.jsonl", True),
        ("/golden/", "golden/a.jsonl", False),
        ("/golden/ nobody", "golden/a.jsonl", False),
        ("/golden/ # @a", "golden/a.jsonl", False),
        ("# /golden/ @a", "golden/a.jsonl", False),
        ("!/golden/ @a", "golden/a.jsonl", False),
        ("/golde[n]/ @a", "golden/a.jsonl", False),
        ("\\#golden @a", "#golden", False),
        ("/my\\ golden/ @a", "my golden/a.jsonl", True),
        ("/gold?n/ @a", "golden/a.jsonl", True),
        ("/golden/a.jsonl @a\r", "golden/a.jsonl", True),
        ("\t/golden/\t@a", "golden/a.jsonl", True),
    ],
)
def test_a_line_owns_what_github_says_it_owns(line: str, path: str, expected: bool) -> None:
    assert only(line, path) is expected


def test_the_last_line_that_fits_decides() -> None:
    assert owned("* @a\n/golden/\n", "golden/a.jsonl") is False
    assert owned("/golden/\n* @a\n", "golden/a.jsonl") is True
    assert owned(DOCS, "apps/github/x") is False
    assert owned(DOCS, "golden/deep/secret.txt") is True


def test_the_first_place_counts_even_where_it_is_empty() -> None:
    found = owners.load(held({"CODEOWNERS": "* @a", ".github/CODEOWNERS": "", "docs/CODEOWNERS": "* @b"}))
    assert found
    assert (found.path, found.owns("x")) == (".github/CODEOWNERS", False)


def test_no_file_is_no_owners() -> None:
    assert owners.load(held({"README.md": "* @a"})) is None


def test_a_file_that_github_would_not_read_is_told() -> None:
    with pytest.raises(InputError, match="byte-order mark"):
        owners.load(held({"CODEOWNERS": "\ufeff* @a"}))


def test_a_hostile_pattern_takes_no_time() -> None:
    assert only("/" + "*a" * 500 + "b @a", "a" * 3000) is False
