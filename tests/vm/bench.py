"""A guest that gets one stick after the other, each as fresh as the first."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.vm.jobs import Job
from tests.vm.kernel import MOUNT_POINT
from tests.vm.machine import Machine
from tests.vm.sticks import Filesystem


@dataclass(frozen=True)
class Bench:
    """A running guest, and the image that its sticks are made from."""

    guest: Machine
    filesystem: Filesystem
    image: Path
    fresh: bytes

    @contextlib.contextmanager
    def stick(self) -> Iterator[Machine]:
        """A stick, plugged in; pulled out at the end, if it still is there."""
        self.image.write_bytes(self.fresh)
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
