"""A guest that gets one stick after the other, each as fresh as the first."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.vm.jobs import Job
from tests.vm.kernel import MOUNT_POINT
from tests.vm.machine import Machine
from tests.vm.sticks import Filesystem

_DIGEST: Final = re.compile(r"^([0-9a-f]{64})  \./(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Bench:
    """A running guest, and the image that its sticks are made from."""

    guest: Machine
    filesystem: Filesystem
    image: Path
    fresh: bytes

    @contextlib.contextmanager
    def stick(self, holding: bytes = b"") -> Iterator[Machine]:
        """A fresh stick, or one ``holding`` that, plugged in; pulled out at the end."""
        self.image.write_bytes(holding or self.fresh)
        self.guest.plug()
        yield self.guest
        # The program itself unmounts what it has written, and nothing else.
        self.guest.shell(
            f"umount {MOUNT_POINT} || umount --lazy {MOUNT_POINT} || true; dmsetup remove_all"
        )
        if self.guest.is_plugged:
            self.guest.pull()

    def mounted(self, task: Job, options: str = "rw") -> str:
        """Shell: the stick is mounted, and the vault as it stands before ``task``."""
        return task.fresh_vault + self.filesystem.mount(options=options)

    def digests(self, holding: bytes) -> dict[str, str]:
        """SHA-256 of each file as the guest's kernel reads such a stick, which is not repaired."""
        mount = self.filesystem.mount(options="ro")
        # The file that a cut left half written may not be readable, and says so.
        read = f"cd {MOUNT_POINT}; find . -type f -exec sha256sum {{}} + || true"
        with self.stick(holding) as guest:
            said = guest.shell(mount + read)
        return {path: digest for digest, path in _DIGEST.findall(said)}
