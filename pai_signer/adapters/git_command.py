"""git, started so that no configuration, hook, attribute or transport of anybody's runs.

Settings are given with each call (git-config(1), git(1)), so that not even the
mirror's own config file decides anything.
"""

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from pai_signer.adapters import device_errors, durable, process
from pai_signer.adapters.process import Finished
from pai_signer.domain.tag import is_object_id
from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError

_ENVIRONMENT: Final = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    # What the mirror's own config allows for one protocol outweighs protocol.allow=never: as a
    # partial clone it would fetch a missing object by a command of its own. A list outweighs both,
    # and none of git's protocols is called so.
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    # Both change who descends from whom; an empty shallow file means that there is none.
    "GIT_GRAFT_FILE": "/dev/null",
    "GIT_SHALLOW_FILE": "",
}
_SETTINGS: Final = (
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.fsmonitor=false",
    "core.logAllRefUpdates=false",
    "core.fsync=all",
    "core.commitGraph=false",  # a cache of who descends from whom
    "core.bigFileThreshold=16m",  # larger blobs are streamed, not held in memory
    "core.packedGitWindowSize=32m",  # packs are looked at through windows within the limit
    "core.packedGitLimit=256m",
    "core.deltaBaseCacheLimit=64m",
    "pack.threads=2",
    "protocol.allow=never",
    "submodule.recurse=false",
    "transfer.fsckObjects=true",
    "gc.auto=0",
    "maintenance.auto=false",
    "log.showSignature=false",
    "i18n.logOutputEncoding=UTF-8",
)
_TIMEOUT_S: Final = 60.0
#: What one git process may take. A few bytes of a pack can say that they are terabytes.
MEMORY_BYTES: Final = 1 << 30


class Git:
    """One bare repository and the few things that are asked of it."""

    def __init__(self, repository: Path) -> None:
        self.repository = repository

    def refs(self, prefix: str) -> dict[str, str]:
        """Object IDs by full ref name; ``prefix`` ends in a slash or is a full name."""
        if not self.repository.exists():
            return {}
        output = self.run("for-each-ref", "--format=%(objectname) %(refname)", prefix).stdout
        pairs = (line.split(" ", 1) for line in output.decode().splitlines())
        return {name: oid for oid, name in pairs}

    def update_refs(self, commands: Iterable[str]) -> None:
        """All of these git-update-ref(1) lines in one transaction."""
        if lines := "".join(commands):
            self.run("update-ref", "--no-deref", "--stdin", stdin=lines.encode())

    def kind(self, oid: str) -> str | None:
        """The object's type, or None where the repository does not have it."""
        if not self.repository.exists():
            return None
        asked = checked_object_id(oid).encode()
        answer = self.run("cat-file", "--batch-check", stdin=asked).stdout.decode().split()
        return None if answer[1] == "missing" else answer[1]

    def make_if_missing(self) -> None:
        """Make the bare repository from nothing, without a template's hooks."""
        if self.repository.exists():
            return
        with (
            device_errors.explained("make the mirror", requirement="IMP-6"),
            tempfile.TemporaryDirectory(prefix=".repo-", dir=self.repository.parent) as folder,
        ):
            fresh = Path(folder) / "repo.git"
            process.run(
                "git",
                [*_settings(), "init", "--quiet", "--bare", "--template=", str(fresh)],
                timeout_s=_TIMEOUT_S,
                environment=_ENVIRONMENT,
            )
            fresh.chmod(0o700)
            fresh.rename(self.repository)
        with durable.held_directory(self.repository.parent) as parent:
            os.fsync(parent)

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        timeout_s: float = _TIMEOUT_S,
        accepted_codes: Sequence[int] | None = (0,),
    ) -> Finished:
        """Run one git command here; see ``process.run`` for what it raises."""
        return process.run(
            "git",
            [*_settings(), f"--git-dir={self.repository}", *arguments],
            timeout_s=timeout_s,
            stdin=stdin,
            environment={**_ENVIRONMENT, **(environment or {})},
            accepted_codes=accepted_codes,
            memory_bytes=MEMORY_BYTES,
        )


def _settings() -> list[str]:
    return [part for setting in _SETTINGS for part in ("-c", setting)]


def checked_object_id(oid: str) -> str:
    """``oid`` itself; ``FormatError`` unless it is a full object ID, so never an option."""
    if not is_object_id(oid):
        raise FormatError(
            "IMP-6/object-id",
            f"{safe_text(oid, limit=80)!r} is not a full object ID.",
            "Import the release again.",
        )
    return oid
