"""Libraries of the extra `metrics`, loaded when a suite names a scorer that needs them."""

from __future__ import annotations

from ci_eval.errors import InputError


def not_installed(scorer: str, library: str) -> InputError:
    """What is said where one is missing."""
    return InputError(f'the scorer "{scorer}" needs {library}', remedy="run: pip install 'ci-eval[metrics]'")
