"""What the tests of faults prepare once is removed at the end."""

from collections.abc import Iterator

import pytest

from tests.workflows.bench import remove_store


@pytest.fixture(scope="session", autouse=True)
def _store() -> Iterator[None]:
    yield
    remove_store()
