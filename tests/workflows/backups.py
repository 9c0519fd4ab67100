"""Backups in tests: folders play the media; all is made and proved through the catalogue."""

import dataclasses
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pai_signer.domain.backup import folder_name
from pai_signer.domain.custody import MediumIdentity
from pai_signer.domain.secret import Secret
from pai_signer.ports import Medium
from pai_signer.workflows.engine import YES, Answer, Outcome
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import PHRASES, ShiftedClock, Silent, keyed_vault, opened, run, stored

ANNA: Final = {"custodian": b"anna minisign phrase", "custodian-gpg": b"anna gpg phrase"}
BOB: Final = {"custodian": b"bob minisign phrase", "custodian-gpg": b"bob gpg phrase"}
PEOPLE: Final[Mapping[str, Mapping[str, bytes]]] = {"Anna": ANNA, "Bob": BOB}


@dataclass
class FakeMedia:
    """``ports.Media`` over folders: each is a stick with an identity, mounted or not."""

    sticks: dict[Path, Medium] = field(default_factory=dict)
    #: What was asked of it, in order.
    calls: list[str] = field(default_factory=list)

    def plug_in(self, folder: Path, uuid: str = "", serial: str = "", label: str = "") -> Path:
        folder.mkdir(exist_ok=True)
        name = folder.name
        self.sticks[folder] = Medium(
            device=f"/dev/{name}",
            label=label or name.upper(),
            filesystem="exfat",
            size_bytes=8_000_000_000,
            serial=serial or f"SERIAL-{name}",
            uuid=uuid or f"UUID-{name}",
            read_only=False,
            mounted_at=folder,
        )
        return folder

    def list(self) -> tuple[Medium, ...]:
        return tuple(self.sticks.values())

    def mount(self, medium: Medium, *, read_only: bool = False) -> Medium:
        (folder,) = (f for f, stick in self.sticks.items() if stick.device == medium.device)
        self.calls.append(f"mount {folder.name} {'ro' if read_only else 'rw'}")
        if self.sticks[folder].mounted_at is None:
            self.sticks[folder] = dataclasses.replace(
                self.sticks[folder], mounted_at=folder, read_only=read_only
            )
        return self.sticks[folder]

    def identify(self, directory: Path) -> MediumIdentity:
        for folder, stick in self.sticks.items():
            if directory.is_relative_to(folder):
                return MediumIdentity(uuid=stick.uuid, serial=stick.serial, label=stick.label)
        return MediumIdentity()

    def unmount(self, directory: Path) -> bool:
        if directory not in self.sticks:
            return False
        self.calls.append(f"unmount {directory.name}")
        self.sticks[directory] = dataclasses.replace(
            self.sticks[directory], mounted_at=None, read_only=False
        )
        return True


@dataclass
class Drawer:
    """A vault and the media of its custodians."""

    bench: Workbench
    media: FakeMedia
    folder: Path

    def stick(self, name: str, **identity: str) -> Path:
        return self.media.plug_in(self.folder / name, **identity)

    def create(self, who: str, stick: Path, phrases: Mapping[str, bytes] = {}) -> dict[str, Any]:
        given = typed({**PHRASES, **PEOPLE.get(who, {}), **phrases})
        return dict(
            run(self.bench, "backup.create", given, custodian=who, directory=str(stick)).data
        )

    def verify(
        self,
        who: str,
        stick: Path,
        phrases: Mapping[str, bytes] = {},
        *,
        repair: bool = False,
        speaker: Silent | None = None,
    ) -> Outcome:
        given = typed({**PEOPLE.get(who, {}), **phrases})
        if repair:
            given["repair"] = YES
        return run(self.bench, "backup.verify", given, speaker, custodian=who, directory=str(stick))

    def copies(self, stick: Path, number: int) -> list[Path]:
        return [stick / folder_name("pai", number, copy) for copy in "abc"]


def typed(phrases: Mapping[str, bytes]) -> dict[str, Answer]:
    """Fresh secrets to answer with."""
    return {name: Secret(bytearray(text)) for name, text in phrases.items()}


@contextmanager
def drawer(
    folder: Path, vault: Path | None = None, clock: ShiftedClock | None = None
) -> Iterator[Drawer]:
    """A vault with keys, and media to plug in below ``folder``."""
    media = FakeMedia()
    with opened(vault or keyed_vault(folder / "vault"), clock=clock) as bench:
        yield Drawer(dataclasses.replace(bench, media=media), media, folder)


def with_backups(to: Path) -> Path:
    """A vault whose keys are backed up and proved: Anna on ``anna``, Bob on ``bob``; a copy."""
    kept = stored("with-backups")
    if not kept.exists():
        kept.mkdir()
        with drawer(kept) as made:
            for name in PEOPLE:
                made.create(name, made.stick(name.casefold()))
    shutil.copytree(kept, to)
    return to


@contextmanager
def backed_up(folder: Path, clock: ShiftedClock | None = None) -> Iterator[Drawer]:
    """The vault of ``with_backups``, its two media plugged in and mounted nowhere."""
    there = with_backups(folder / "drawer")
    with drawer(there, there / "vault", clock) as made:
        for name in PEOPLE:
            made.stick(name.casefold())
        yield made
