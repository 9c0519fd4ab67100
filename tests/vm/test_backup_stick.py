"""A custodian's backup on a real FAT32 stick: whole, cut off, pulled, protected, lying (CUS-1).

Run by ``make vm-test``; ``PAI_POWER_CUTS`` is the number of power cuts, 5 unless told.
"""

from pathlib import Path
from typing import Final

import pytest

from tests import workstation
from tests.keys import CUSTODIAN_PASSPHRASES, WEAK_PASSPHRASE
from tests.vm import machine
from tests.vm.test_stick import (
    FLAKEY,
    MOUNT,
    POWER_CUTS,
    WRITTEN,
    check_filesystem,
    final_names,
)

pytestmark = pytest.mark.skipif(
    bool(machine.why_no_machine()), reason=machine.why_no_machine() or "works here"
)

#: Three copies of what stands in a set.
FILES: Final = 3 * 15
READ_ONLY: Final = "mount -t vfat -o ro,nosuid,nodev,noexec /dev/sda /mnt/stick"


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """What the guest gets: a vault with keys, and the passphrases of a test."""
    folder = tmp_path / "job"
    folder.mkdir()
    workstation.workstation("keyed", folder)
    for name, phrase in zip(
        ("own", "custodian", "custodian-gpg"),
        (WEAK_PASSPHRASE, *CUSTODIAN_PASSPHRASES),
        strict=True,
    ):
        (folder / name).write_bytes(phrase + b"\n")
    return folder


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    return machine.new_stick(tmp_path / "stick.img")


def backup(verb: str, *, hold_at: int = 0) -> str:
    """One run of the program, and its exit code on the console."""
    own = "--passphrase-fd=minisign=3 --passphrase-fd=gpg=4" if verb == "create" else ""
    words = ("--vault", "/tmp/vault", "backup", verb, "/mnt/stick", "--custodian", "Anna")
    program = machine.python("-m", "tests.vm.guest", *words)
    phrases = " ".join(
        f"{number}<{machine.JOB}/{name}"
        for number, name in ((3, "own"), (4, "own"), (6, "custodian"), (7, "custodian-gpg"))
    )
    given = f"{own} --passphrase-fd=custodian=6 --passphrase-fd=custodian-gpg=7"
    return f"""
        export HOLD_AT={hold_at}
        code=0; ({program} {given} {phrases}) || code=$?
        echo; echo PROGRAM ENDED $code
    """


def script(*parts: str, mount: str = MOUNT) -> str:
    return "\n".join((f"cp -r {machine.JOB}/vault /tmp/vault", mount, *parts, "exit $code"))


def test_a_backup_on_a_stick_is_whole_and_is_proved_again_read_only(stick: Path, job: Path) -> None:
    again = script(backup("create"), READ_ONLY, backup("verify"))
    with machine.boot(again, stick, job) as guest:
        assert guest.exit_code(600) == 0, guest.said
    assert guest.said.count("PROGRAM ENDED 0") == 2
    assert "safe to remove" in guest.said
    files = machine.on_stick(stick)
    assert len(files) == FILES
    copies = [{n.partition("/")[2]: d for n, d in files.items() if f"-{c}/" in n} for c in "abc"]
    assert copies[0] == copies[1] == copies[2]
    check_filesystem(stick)


@pytest.mark.parametrize("cut", range(POWER_CUTS))
def test_no_file_of_a_backup_that_was_said_to_be_written_is_lost_by_a_power_cut(
    stick: Path, job: Path, cut: int
) -> None:
    hold_at = 1 + (FILES - 1) * cut // max(1, POWER_CUTS - 1)
    with machine.boot(script(backup("create", hold_at=hold_at)), stick, job) as guest:
        guest.wait_for("HOLDING", 480)
        guest.cut_power()
    said = WRITTEN.findall(guest.said)
    assert len(said) == hold_at
    sizes = sorted((Path(name).name, str(len(data))) for name, data in final_names(stick).items())
    for name_and_size in said:
        sizes.remove(name_and_size)  # ValueError: it was lost
    print(f"power cut after {hold_at} files: 0 lost")


def test_a_stick_pulled_while_a_backup_is_written_is_told(stick: Path, job: Path) -> None:
    with machine.boot(script(backup("create", hold_at=20)), stick, job) as guest:
        guest.wait_for("HOLDING", 480)
        guest.pull()
        assert guest.exit_code(480) == 5, guest.said
    assert "EXP-2/gone" in guest.said
    assert "safe to remove" not in guest.said


def test_a_write_protected_stick_gets_no_backup(stick: Path, job: Path) -> None:
    before = stick.read_bytes()
    protected = script(backup("create"), mount=READ_ONLY)
    with machine.boot(protected, stick, job, read_only=True) as guest:
        assert guest.exit_code(480) == 5, guest.said
    assert "EXP-2/read-only" in guest.said
    assert stick.read_bytes() == before


@pytest.mark.parametrize(
    ("feature", "code"), [("drop_writes", "EXP-2/read-back"), ("error_writes", "EXP-2/gone")]
)
def test_a_stick_that_lies_or_fails_gets_no_backup(
    stick: Path, job: Path, feature: str, code: str
) -> None:
    lying = script(backup("create"), mount=FLAKEY.format(feature=feature))
    with machine.boot(lying, stick, job) as guest:
        assert guest.exit_code(480) == 5, guest.said
    assert code in guest.said
    assert "backup.proved" not in guest.said
    assert machine.on_stick(stick) == {}
