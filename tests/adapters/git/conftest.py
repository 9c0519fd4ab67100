"""A vault with a mirror, a repository to bundle, and who signs tags, for the tests of git."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pai_signer.adapters.git import GitMirror
from tests.repository import Repository, StockSigner, make_repository, stock_signer


@pytest.fixture(scope="module")
def signer() -> Iterator[StockSigner]:
    # It takes no harm from a socket that an ending agent removes meanwhile.
    with tempfile.TemporaryDirectory() as folder, stock_signer(Path(folder) / "g") as made:
        yield made


@pytest.fixture
def work(tmp_path: Path) -> Repository:
    return make_repository(tmp_path / "work")


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    path = tmp_path / "vault"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def mirror(vault: Path) -> GitMirror:
    return GitMirror(vault)
