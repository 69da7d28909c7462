"""When a job's `if:` lets it run: yes, no, or perhaps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_eval.doctor.conditions import runs

DOCS = "github.event_name == 'pull_request' || github.event_name == 'merge_group' || inputs.pr-number != ''"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (None, True),
        (True, True),
        (False, False),
        ("true", True),
        ("${{ false }}", False),
        (DOCS, True),
        (f"${{{{ {DOCS} }}}}", True),
        ("GITHUB.EVENT_NAME == 'Pull_Request'", True),  # GitHub compares without case
        ("github.event_name == 'push'", False),
        ("github.event_name != 'push'", True),
        ("github.event_name == 'push' && github.ref == 'refs/heads/main'", False),
        ("github.event_name == 'pull_request' && github.actor != 'dependabot[bot]'", None),
        ("!(github.event_name == 'push')", True),
        ("!github.event.pull_request.draft", None),
        ("always()", True),
        ("!cancelled()", True),
        ("success()", True),
        ("failure()", False),
        ("always() && github.event.pull_request.draft == false", None),
        ("contains(github.event.pull_request.labels.*.name, 'eval')", None),
        ("contains(fromJSON('[\"pull_request\"]'), github.event_name)", None),
        ("'it''s' == 'it''s'", True),
        ("1 == 1", True),
        ("1 == '1'", None),
        ("1 < 2", None),
        ("null", False),
        ("''", False),
        ("github['event_name'] == 'push'", None),
        ("${{ github.event_name == 'push' }} || true", None),  # a text, which is always true: nobody means that
        ("github.event_name ==", None),
        ("(true", None),
        ("true)", None),
        ("contains(a b)", None),
        ("contains(", None),
        ("€", None),
        ("", None),
        ("(" * 5000 + "true", None),
        ("!" * 1900 + "true", None),
        (["always()"], None),
        (1, None),
    ],
)
def test_what_is_known_of_a_condition_on_a_pull_request(condition: object, expected: bool | None) -> None:
    assert runs(condition, "pull_request", after_others=False) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (None, None),
        (True, None),
        (False, False),
        ("github.event_name == 'pull_request'", None),
        ("github.event_name == 'push'", False),
        ("contains(github.ref, 'x') || github.event_name == 'pull_request'", None),
        ("always()", True),
        ("!cancelled()", True),
        ("always() && github.event_name == 'pull_request'", True),
        ("success()", None),
        ("failure()", None),
        ("success() || failure()", None),
        ("needs.changes.outputs.any == 'true'", None),
    ],
)
def test_a_job_that_needs_others_may_be_skipped_unless_it_always_runs(condition: object, expected: bool | None) -> None:
    assert runs(condition, "pull_request", after_others=True) is expected


@given(st.text(alphabet="ab.()!&|='10, \n${}<>*githubevn_me", max_size=60), st.booleans())
def test_any_text_has_an_answer(condition: str, after_others: bool) -> None:
    assert runs(condition, "pull_request", after_others=after_others) in {True, False, None}


FORK = "github.event.pull_request.head.repo.full_name != github.repository"


def test_where_a_pull_request_comes_from_is_known_only_where_it_is_given() -> None:
    assert runs(FORK, "pull_request", after_others=False) is None
    assert runs(FORK, "pull_request", after_others=False, fork=True) is True
    assert runs(FORK, "pull_request", after_others=False, fork=False) is False
