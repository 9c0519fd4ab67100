"""Opened workbenches for the tests of workflows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import (
    downloads,
    keyed_vault,
    new_vault,
    opened,
    published,
    remove_store,
    run,
    signed_vault,
)


@pytest.fixture(scope="session", autouse=True)
def _store() -> Iterator[None]:
    yield
    remove_store()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Workbench]:
    """A vault without keys."""
    with opened(new_vault(tmp_path / "vault")) as bench:
        yield bench


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[Workbench]:
    """A vault with keys and nothing imported."""
    with opened(keyed_vault(tmp_path / "vault")) as bench:
        yield bench


@pytest.fixture
def imported(keyed: Workbench) -> Workbench:
    """A vault with keys and v0.2.0 imported."""
    run(keyed, "release.import", directory=str(downloads()))
    return keyed


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[Workbench]:
    """A vault where v0.2.0 is signed and exported."""
    with opened(signed_vault(tmp_path / "vault")) as bench:
        yield bench


@pytest.fixture
def public(tmp_path: Path) -> Path:
    """An empty folder to publish the keys into."""
    folder = tmp_path / "keys-public"
    folder.mkdir()
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a user downloaded: every file of v0.2.0, and the keys beside."""
    return published(tmp_path / "published")
