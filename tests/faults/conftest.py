"""What the tests of faults prepare once is removed at the end."""

from collections.abc import Iterator

import pytest

from tests.workflows.bench import remove_store

# What fails in them is told with its values, as in a test.
pytest.register_assert_rewrite(
    "tests.faults.harness",
    "tests.faults.strace",
    "tests.faults.release_jobs",
    "tests.faults.key_jobs",
    "tests.faults.custody_jobs",
)


@pytest.fixture(scope="session", autouse=True)
def _store() -> Iterator[None]:
    yield
    remove_store()
