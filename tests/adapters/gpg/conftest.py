"""Homes of gpg with keys in them, and what works on those; nothing may be left behind."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pai_signer.adapters.gpg_backup import OpenPgpBackups
from pai_signer.adapters.gpg_keys import GpgKeys
from pai_signer.adapters.gpg_life import GpgLife
from tests.adapters.gpg.homes import CLOCK, our_agents
from tests.adapters.gpg.old_keys import old_key
from tests.keys import install_weak_openpgp_key


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the weak key in it."""
    install_weak_openpgp_key(tmp_path / "gnupg")
    return tmp_path / "gnupg"


@pytest.fixture
def keys(home: Path) -> GpgKeys:
    return GpgKeys(home, CLOCK)


@pytest.fixture
def empty(tmp_path: Path) -> GpgKeys:
    return GpgKeys(tmp_path / "empty", CLOCK)


@pytest.fixture
def expired_home(tmp_path: Path) -> Path:
    """A home with the old key in it, which has expired."""
    old_key().install(tmp_path / "expired")
    return tmp_path / "expired"


@pytest.fixture
def life(expired_home: Path) -> GpgLife:
    return GpgLife(expired_home, CLOCK)


@pytest.fixture
def backups(home: Path) -> OpenPgpBackups:
    return OpenPgpBackups(home, CLOCK)


@pytest.fixture
def outside(tmp_path: Path) -> OpenPgpBackups:
    """For proofs, which need no vault."""
    return OpenPgpBackups(tmp_path / "nowhere", CLOCK)


@pytest.fixture
def drawer() -> Iterator[Path]:
    """Another machine's home, ten years from now."""
    folder = Path(TemporaryDirectory(dir="/dev/shm", prefix="h-").name)
    folder.mkdir(mode=0o700)
    yield folder
    subprocess.run(["gpgconf", "--homedir", folder, "--kill", "all"], check=False)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    yield
    assert list(Path("/dev/shm").glob(f"pai-{os.getpid()}-*")) == []
    assert our_agents() == []
