"""Small real git repositories, bundles and signed tags, made with stock git and gpg."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada Author",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Carl Committer",
    "GIT_COMMITTER_EMAIL": "carl@example.org",
    "GIT_AUTHOR_DATE": "1700000000 +0100",
    "GIT_COMMITTER_DATE": "1700000000 +0100",
}


def git(
    directory: Path,
    *arguments: str | Path,
    stdin: bytes = b"",
    check: bool = True,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Stock git in ``directory``, with no configuration but the repository's own."""
    return subprocess.run(
        ["git", *map(str, arguments)],
        cwd=directory,
        env={**_ENVIRONMENT, **(environment or {})},
        input=stdin,
        capture_output=True,
        check=check,
    )


@dataclass(frozen=True)
class Repository:
    """A work tree on branch ``main``; every path handed out is absolute."""

    path: Path

    def git(
        self,
        *arguments: str | Path,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """The stripped output of a git command that must succeed."""
        finished = git(self.path, *arguments, stdin=stdin, environment=environment)
        return finished.stdout.decode().strip()

    def commit(self, subject: str, content: str | None = None) -> str:
        """Add a commit that changes one file; returns its object ID."""
        (self.path / "file.txt").write_text(content if content is not None else subject)
        self.git("add", "file.txt")
        self.git("commit", "-q", "-m", subject)
        return self.head

    @property
    def head(self) -> str:
        """The object ID of HEAD."""
        return self.git("rev-parse", "HEAD")

    def bundle(self, name: str, *revisions: str) -> Path:
        """A bundle beside the repository, as ``git bundle create`` writes it."""
        path = self.path.parent / name
        self.git("bundle", "create", "-q", path, *revisions)
        return path

    def full_bundle(self, name: str = "full.bundle") -> Path:
        """HEAD and main with their whole history."""
        return self.bundle(name, "HEAD", "main")

    def thin_bundle(self, since: str, name: str = "thin.bundle") -> Path:
        """HEAD and main, needing the commit ``since``."""
        return self.bundle(name, "HEAD", "main", f"^{since}")

    def tag_bundle(self, tag: str, name: str = "tag.bundle") -> Path:
        """The tag object alone."""
        return self.bundle(name, f"refs/tags/{tag}", f"^{tag}^{{commit}}")


def make_repository(path: Path, commits: int = 3) -> Repository:
    """A repository with ``commits`` commits on ``main``."""
    path.mkdir(parents=True)
    git(path, "init", "-q", "--template=", "-b", "main")
    repository = Repository(path)
    for number in range(1, commits + 1):
        repository.commit(f"Change {number}")
    return repository


@dataclass(frozen=True)
class StockSigner:
    """A throwaway GNUPGHOME with one unprotected Ed25519 key, driven by stock gpg."""

    home: Path
    user_id: str

    @property
    def environment(self) -> dict[str, str]:
        """What git and gpg need to find it."""
        return {"GNUPGHOME": str(self.home)}

    def gpg(self, *arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run gpg in this home; it must succeed."""
        return subprocess.run(
            ["gpg", "--batch", "--quiet", *map(str, arguments)],
            env={**_ENVIRONMENT, **self.environment},
            input=stdin,
            capture_output=True,
            check=True,
        )

    def sign(self, data: bytes) -> bytes:
        """An armored detached signature."""
        arguments = ("--armor", "--detach-sign", "--local-user", self.user_id)
        return self.gpg(*arguments, stdin=data).stdout


@contextmanager
def stock_signer(home: Path, user_id: str = "Mia <mia@example.org>") -> Iterator[StockSigner]:
    """Make the key, and stop its agent afterwards; ``home`` must be a short path."""
    home.mkdir(mode=0o700)
    signer = StockSigner(home, user_id)
    try:
        signer.gpg("--passphrase", "", "--quick-generate-key", user_id, "ed25519", "sign", "never")
        yield signer
    finally:
        subprocess.run(
            ["gpgconf", "--homedir", str(home), "--kill", "all"],
            env={**os.environ, **_ENVIRONMENT},
            check=False,
        )
