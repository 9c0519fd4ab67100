"""Vaults with weak keys for the program as a process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.workflows.bench import (
    PHRASES,
    keyed_vault,
    new_vault,
    published,
    remove_store,
    signed_vault,
)


@pytest.fixture(scope="session", autouse=True)
def _store() -> Iterator[None]:
    yield
    remove_store()


@pytest.fixture
def keyed(tmp_path: Path) -> Program:
    """A vault with keys and nothing imported."""
    return Program(keyed_vault(tmp_path / "vault"), phrases=PHRASES)


@pytest.fixture
def empty(tmp_path: Path) -> Program:
    """A vault without keys."""
    return Program(new_vault(tmp_path / "vault"), phrases=PHRASES)


@pytest.fixture
def signed(tmp_path: Path) -> Program:
    """A vault where v0.2.0 is signed and exported."""
    return Program(signed_vault(tmp_path / "vault"), phrases=PHRASES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a user downloaded: every file of v0.2.0, and the keys beside."""
    return published(tmp_path / "published")
