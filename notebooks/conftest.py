"""How nbval compares the chapters: in figures the words, not the pixels."""

from pathlib import Path

import pytest

RULES = Path(__file__).resolve().parent.parent / "tests" / "notebooks" / "sanitize.cfg"


def pytest_configure(config: pytest.Config) -> None:
    # Here, so that it holds wherever pytest is started, and is no option to be remembered.
    if getattr(config.option, "nbval_sanitize_with", RULES) is None:
        config.option.nbval_sanitize_with = str(RULES)
