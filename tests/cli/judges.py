"""Stock tools as judges of what was published: each has to accept, and says what it saw."""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def sha256(path: Path) -> str:
    """A file's digest, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def stock(*command: str | Path, cwd: Path, home: Path | None = None) -> str:
    """A stock tool that has to accept; what it said."""
    environment = {**os.environ, "LC_ALL": "C"}
    if home is not None:
        environment["GNUPGHOME"] = str(home)
    done = subprocess.run(
        list(command), cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@contextmanager
def stock_home(folder: Path, keys: Path) -> Iterator[Path]:
    """A GNUPGHOME that knows the one published certificate of ``keys`` only."""
    folder.mkdir(mode=0o700)
    try:
        stock("gpg", "--batch", "--import", certificate_in(keys), cwd=folder, home=folder)
        yield folder
    finally:
        subprocess.run(["gpgconf", "--homedir", folder, "--kill", "all"], check=False)


def certificate_in(keys: Path) -> Path:
    """The one published OpenPGP certificate."""
    (certificate,) = keys.glob("gpg-*.asc")
    return certificate


def openpgp_accepts(name: str, download: Path, keys: Path, home: Path) -> None:
    """``gpg``, ``gpgv`` and ``sqv`` over ``name`` and its ``.asc``, by the full fingerprint."""
    certificate = certificate_in(keys)
    fingerprint = certificate.stem.removeprefix("gpg-")
    said = stock(
        "gpg", "--status-fd", "1", "--verify", f"{name}.asc", name, cwd=download, home=home
    )
    assert "[GNUPG:] GOODSIG" in said
    assert fingerprint in next(x for x in said.splitlines() if "VALIDSIG" in x)
    ring = home / "ring.gpg"
    ring.unlink(missing_ok=True)
    stock("gpg", "--export", "--output", ring, fingerprint, cwd=home, home=home)
    assert "Good signature" in stock("gpgv", "--keyring", ring, f"{name}.asc", name, cwd=download)
    said = stock("sqv", "--keyring", certificate, f"{name}.asc", name, cwd=download)
    assert fingerprint in said
