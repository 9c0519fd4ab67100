"""Backups by the command line on real media, and what signing makes of them (CUS-1 to CUS-3)."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests import workstation
from tests.media import loop
from tests.media.marks import needs_loop
from tests.weak_signer import LOOP_MEDIA
from tests.workstation import VERSION, Workstation

pytestmark = needs_loop

AS_REMOVABLE: Final = {LOOP_MEDIA: "1"}
OFFLINE: Final = ("--waive", "POL-9=a test machine")


def ends(command: Sequence[str], code: int, says: str) -> str:
    """Run it to this exit code; a refusal says all that an error has to say."""
    done = workstation.run(command, environment=AS_REMOVABLE)
    shown = done.stdout + done.stderr
    assert done.returncode == code, shown
    assert says in " ".join(shown.split()), shown
    if code:
        for part in ("What happened", "Unchanged", "What to do next"):
            assert part in done.stderr
    return shown


def backed_up(here: Workstation, name: str, stick: loop.LoopMedium) -> None:
    """Create on the medium, and plug it in again."""
    ends(here.backup("create", name, stick.mount_point), 0, "safe to remove")
    stick._mount("rw")


def signed_without_waiver(here: Workstation) -> list[str]:
    secrets = ("--passphrase-fd=minisign=3", "--passphrase-fd=gpg=4")
    confirmed = ("release", "sign", VERSION, "--confirm", VERSION)
    return here.command(*confirmed, *OFFLINE, *secrets)


def test_signing_asks_for_two_custodians_on_two_media(tmp_path: Path) -> None:
    here = workstation.workstation("imported", tmp_path)
    with loop.medium("ext4") as first, loop.medium("exfat") as second:
        ends(signed_without_waiver(here), 3, "POL-7")
        backed_up(here, "Anna", first)
        ends(signed_without_waiver(here), 3, "1 of 2 custodians proved")
        backed_up(here, "Bob", first)
        ends(signed_without_waiver(here), 3, "on 1 medium of 2 wanted")
        backed_up(here, "Bob", second)
        ends(signed_without_waiver(here), 0, "POL-7 2 of 2 proved, oldest proof today")


def test_a_backup_is_proved_from_a_medium_that_is_mounted_read_only(
    stick: loop.LoopMedium, tmp_path: Path
) -> None:
    here = workstation.workstation("keyed", tmp_path)
    backed_up(here, "Anna", stick)
    stick.make_read_only()
    before = stick.image.read_bytes()
    ends(here.backup("verify", "Anna", stick.mount_point), 0, "proved")
    assert stick.image.read_bytes() == before


def test_a_write_protected_medium_gets_no_backup(stick: loop.LoopMedium, tmp_path: Path) -> None:
    here = workstation.workstation("keyed", tmp_path)
    stick.make_read_only()
    ends(here.backup("create", "Anna", stick.mount_point), 5, "EXP-2/read-only")
    ends(signed_without_waiver(here), 2, "IMP/no-candidate")
    assert "backup.proved" not in (here.vault / "journal.jsonl").read_text()


def test_a_full_medium_gets_no_backup(tmp_path: Path) -> None:
    here = workstation.workstation("keyed", tmp_path)
    with loop.medium("ext4", size_bytes=2 * loop.MIB) as small:
        with (small.mount_point / "photos").open("wb") as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
                file.flush()
        ends(here.backup("create", "Anna", small.mount_point), 5, "EXP-2/full")
        assert {p.name for p in small.mount_point.iterdir()} == {"photos", "lost+found"}


def test_rot_on_the_medium_is_damage_and_never_a_proof(tmp_path: Path) -> None:
    here = workstation.workstation("keyed", tmp_path)
    with loop.medium("ext4") as stick:
        backed_up(here, "Anna", stick)
        key = next(stick.mount_point.glob("*-b/minisign.key")).read_bytes()
        stick._unmount()
        image = stick.image.read_bytes()
        position = image.find(key)
        assert position > 0
        with stick.image.open("r+b") as file:
            file.seek(position + len(key) - 20)
            file.write(bytes([key[-20] ^ 1]))
        stick._mount("rw")
        ends(here.backup("verify", "Anna", stick.mount_point), 4, "damaged")


def test_a_medium_pulled_out_is_never_an_empty_one(tmp_path: Path) -> None:
    here = workstation.workstation("keyed", tmp_path)
    with loop.medium("ext4") as stick:
        backed_up(here, "Anna", stick)
        stick.unplug()
        ends(here.backup("verify", "Anna", stick.mount_point), 5, "the medium was pulled out")
    assert (here.vault / "journal.jsonl").read_text().count("backup.proved") == 2


def test_a_medium_that_held_a_backup_and_reads_as_empty_is_told_so(tmp_path: Path) -> None:
    here = workstation.workstation("keyed", tmp_path)
    with loop.medium("ext4") as stick:
        backed_up(here, "Anna", stick)
        for path in stick.mount_point.glob("*-backup-*/*"):
            path.unlink()
        for path in stick.mount_point.glob("*-backup-*"):
            path.rmdir()
        ends(here.backup("verify", "Anna", stick.mount_point), 5, "empty")
