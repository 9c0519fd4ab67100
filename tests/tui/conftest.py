"""A folder for each test in a real terminal."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.moves import short_folder


@pytest.fixture
def room() -> Iterator[Path]:
    """A folder of the test's own, with a short path."""
    with short_folder() as folder:
        yield folder
