"""The summary, the outputs, the marker and the comment modes: what needs no GitHub."""

from __future__ import annotations

import re
from pathlib import Path

import cmarkgfm
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_eval.github.client import Account, Comment
from ci_eval.github.environment import CommentMode
from ci_eval.github.publish import (
    OUTPUTS,
    SUMMARY_LIMIT,
    Marker,
    Posting,
    config_id,
    posting,
    write_outputs,
    write_summary,
)
from ci_eval.text import Untrusted, fence

GOOD = {
    "verdict": "regression",
    "worst-dimension": "task_accuracy",
    "worst-drop": "2.75",
    "report-path": "ci-eval-out/report.html",
    "results-path": "/github/workspace/out/run.jsonl",
    "junit-path": "ci-eval-out/junit.xml",
    "sarif-path": "ci-eval-out/report.sarif",
    "cost-usd": "0.0042",
    "comment-url": "https://github.com/octo-org/shop/pull/7#issuecomment-1001",
}

# --- outputs ----------------------------------------------------------------------------------------------------------


def test_outputs_are_one_line_each(tmp_path: Path) -> None:
    file = tmp_path / "output"
    file.write_text("earlier=step\n", encoding="utf-8")

    assert write_outputs(file, GOOD) is None
    assert file.read_text(encoding="utf-8") == "earlier=step\n" + "".join(f"{k}={v}\n" for k, v in GOOD.items())


def test_every_output_of_the_contract_is_known() -> None:
    assert list(OUTPUTS) == list(GOOD)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, f"{value}\n") for name, value in GOOD.items()),
        *((name, f"{value}\nverdict=pass") for name, value in GOOD.items()),
        *((name, f"{value}\rverdict=pass") for name, value in GOOD.items()),
        *((name, "") for name in GOOD),
        *(("verdict", value) for value in ("neutral", "PASS", "pass ", "passed", "pass\u2028")),
        *(("worst-drop", value) for value in ("nan", "-inf", "1e5", "٣", "1.", "+1", "2,5")),
        *(("cost-usd", value) for value in ("-1", "nan", "$1", "1e-5")),
        *(("worst-dimension", value) for value in ("$(id)", "a b", "A", "`id`", "é")),
        *(("report-path", value) for value in ("../x", "a/../b", "a b", "a;b", "$HOME", "..", "a/..", "a\\b", "é")),
        ("comment-url", "https://github.com/o/r/pull/7#issuecomment-1 $(id)"),
        ("comment-url", "javascript:alert(1)"),
        ("comment-url", "https://u:p@github.com/o/r/pull/7#issuecomment-1"),
        ("regressed", "true"),
        ("verdict<<EOF", "pass"),
        ("", "pass"),
    ],
)
def test_a_value_of_another_shape_is_refused_and_nothing_is_written(name: str, value: str, tmp_path: Path) -> None:
    file = tmp_path / "output"

    with pytest.raises(ValueError, match="no output of this name and shape"):
        write_outputs(file, {"verdict": "pass", name: value})
    assert not file.exists()


@given(name=st.sampled_from(list(OUTPUTS)), value=st.text())
def test_no_accepted_value_can_end_its_line_or_mean_something_to_a_shell(name: str, value: str) -> None:
    if OUTPUTS[name].fullmatch(value):
        assert re.fullmatch(r"[A-Za-z0-9._/:#-]+", value)


def test_without_a_file_nothing_is_written() -> None:
    assert write_outputs(None, GOOD) is None
    assert write_summary(None, "report") is None


def test_a_file_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    for warning in (write_outputs(tmp_path, GOOD), write_summary(tmp_path / "none" / "file", "report")):
        assert warning is not None
        assert "could not be written" in warning


# --- the summary ------------------------------------------------------------------------------------------------------


def test_the_summary_is_added_to_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "summary"
    write_summary(file, "# one\nüber")
    write_summary(file, "# two")

    assert file.read_text(encoding="utf-8") == "# one\nüber\n# two\n"


@pytest.mark.parametrize("line", ["x" * 100, "é" * 100, "日本" * 50, "", "\ud800"])
def test_the_summary_is_cut_to_what_github_takes(line: str, tmp_path: Path) -> None:
    file = tmp_path / "summary"
    write_summary(file, f"{line}\n" * (2_000_000 // (len(line) + 1)))

    assert file.stat().st_size <= SUMMARY_LIMIT
    assert file.read_bytes().endswith(b"whole report is the HTML artifact.*\n")


def test_a_summary_of_one_endless_line_is_cut(tmp_path: Path) -> None:
    file = tmp_path / "summary"
    write_summary(file, "x" * (SUMMARY_LIMIT + 1))

    assert file.stat().st_size < 1000


@pytest.mark.parametrize("limit", range(200, 540, 5))
def test_a_cut_never_leaves_a_fence_open(limit: int, tmp_path: Path) -> None:
    """Wherever the cut falls, the note after it is prose and not part of a model's output."""
    outputs = ["a\n" * 40, "```text\n# not a heading\n```\n" * 8, "`````\n```\n" * 20]
    file = tmp_path / "summary"
    write_summary(file, "\n\n".join(fence(output) for output in outputs), limit=limit)
    html = cmarkgfm.github_flavored_markdown_to_html(file.read_text(encoding="utf-8"))

    assert file.stat().st_size <= limit
    assert "<em>The rest did not fit" in html
    assert "<h1>" not in html


# --- the marker -------------------------------------------------------------------------------------------------------

MARKER = Marker("0123456789abcdef", "5" * 40, run_id=15000000000, run_attempt=2)


def comment(body: str) -> Comment:
    return Comment(
        1, "https://github.com/o/r/pull/7#issuecomment-1", Account("github-actions[bot]", True), Untrusted(body)
    )


def test_the_marker_is_one_html_comment() -> None:
    assert MARKER.line == f"<!-- ci-eval:0123456789abcdef sha={'5' * 40} run=15000000000.2 -->"
    assert MARKER.run_of(comment(f"{MARKER.line}\nreport")) == (15000000000, 2)
    assert MARKER.run_of(comment(f"{MARKER.line}\r\nreport")) == (15000000000, 2)


@pytest.mark.parametrize(
    "rest", ["", "-->", "sha=x run=9.9 -->", f"sha={'5' * 40} run=9.9 --> more", f"sha={'5' * 40} run={'9' * 30}.1 -->"]
)
def test_a_spoiled_marker_is_of_no_run(rest: str) -> None:
    assert MARKER.run_of(comment(MARKER.prefix + rest)) == (0, 0)


def test_the_config_id_tells_workflows_and_configs_apart() -> None:
    ids = {config_id("a", "bc"), config_id("ab", "c"), config_id(Untrusted("a"), "c"), config_id("\ud800 -->", "c")}

    assert len(ids) == 4
    assert all(re.fullmatch("[0-9a-f]{16}", found) for found in ids)
    assert config_id(Untrusted("a"), "bc") == config_id("a", "bc")


# --- modes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "relevant", "green", "expected"),
    [
        ("always", False, True, Posting.UPSERT),
        ("always", True, False, Posting.UPSERT),
        ("changes", True, True, Posting.UPSERT),
        ("changes", False, True, Posting.EDIT_ONLY),
        ("changes", False, False, Posting.UPSERT),
        ("failures", True, False, Posting.UPSERT),
        ("failures", True, True, Posting.EDIT_ONLY),
        ("off", True, False, Posting.NOTHING),
        ("off", False, True, Posting.NOTHING),
    ],
)
def test_what_a_mode_posts(mode: CommentMode, relevant: bool, green: bool, expected: Posting) -> None:
    assert posting(mode, relevant=relevant, green=green) == expected
