"""What all tests share."""

import os
from typing import Final

import pytest

# The snapshot plugin keeps its place in a variable that the app, rightly, drops on import.
_PLUGINS_OWN: Final = "TEXTUAL_SNAPSHOT_TEMPDIR"
_KEPT: Final = pytest.StashKey[str | None]()


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    session.stash[_KEPT] = os.environ.get(_PLUGINS_OWN)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    kept = session.stash.get(_KEPT, None)
    if kept is not None:
        os.environ[_PLUGINS_OWN] = kept
