"""Export to a real FAT32 stick: whole, cut off, pulled, write-protected, lying (EXP-2).

``PAI_POWER_CUTS`` is the number of power cuts, 5 unless told. Run by ``make vm-test``.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests import workstation
from tests.vm import machine
from tests.workstation import VERSION

pytestmark = pytest.mark.skipif(
    bool(machine.why_no_machine()), reason=machine.why_no_machine() or "works here"
)

POWER_CUTS: Final = int(os.environ.get("PAI_POWER_CUTS", "5"))
MOUNT: Final = "mount -t vfat -o noatime /dev/sda /mnt/stick"
WRITTEN: Final = re.compile(r"WRITTEN (\S+) (\d+)")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an export writes, as it is written on this machine's own disk."""
    folder = tmp_path_factory.mktemp("whole")
    here, out = workstation.workstation("signed", folder), folder / "out"
    out.mkdir()
    done = workstation.run(here.export(out))
    assert done.returncode == 0, done.stderr
    files = [path for path in out.rglob("*") if path.is_file()]
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """What the guest gets: a vault in which a release is signed."""
    folder = tmp_path / "job"
    folder.mkdir()
    workstation.workstation("signed", folder)
    return folder


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    return machine.new_stick(tmp_path / "stick.img")


def export(*, hold_at: int = 0, mount: str = MOUNT) -> str:
    """The script: mount, ``release export``, and its exit code on the console."""
    command = ("--vault", "/tmp/vault", "release", "export", VERSION, "/mnt/stick")
    program = machine.python("-m", "tests.vm.guest", *command)
    return f"""
        cp -r {machine.JOB}/vault /tmp/vault
        {mount}
        export HOLD_AT={hold_at}
        code=0; ({program}) || code=$?
        echo; echo PROGRAM ENDED $code
        grep -q /mnt/stick /proc/mounts && echo STILL MOUNTED || echo NOT MOUNTED
        exit $code
    """


def check_filesystem(stick: Path) -> None:
    """No dirty flag, no lost cluster: fsck.fat(8) finds nothing to do."""
    done = subprocess.run(
        ["fsck.fat", "-n", str(stick)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert "Dirty bit" not in done.stdout


def final_names(stick: Path) -> dict[str, bytes]:
    return {
        name: data
        for name, data in machine.on_stick(stick).items()
        if ".pai-signer-" not in name.casefold()
    }


def test_an_export_is_whole_and_safe_to_remove_after_a_clean_unmount(
    stick: Path, job: Path, whole: dict[str, bytes]
) -> None:
    with machine.boot(export(), stick, job) as guest:
        assert guest.exit_code() == 0, guest.said
    assert "safe to remove" in guest.said
    assert "NOT MOUNTED" in guest.said
    assert machine.on_stick(stick) == whole
    check_filesystem(stick)


@pytest.mark.parametrize("cut", range(POWER_CUTS))
def test_no_file_that_was_said_to_be_written_is_lost_by_a_power_cut(
    stick: Path, job: Path, whole: dict[str, bytes], cut: int
) -> None:
    hold_at = 1 + (len(whole) - 1) * cut // max(1, POWER_CUTS - 1)
    with machine.boot(export(hold_at=hold_at), stick, job) as guest:
        guest.wait_for("HOLDING", 240)
        guest.cut_power()
    said = dict(WRITTEN.findall(guest.said))
    assert len(said) == hold_at
    found = final_names(stick)
    assert found.items() <= whole.items()
    sizes = {Path(name).name: str(len(data)) for name, data in found.items()}
    lost = {name: size for name, size in said.items() if sizes.get(name) != size}
    print(f"power cut after {hold_at} files: {len(lost)} lost")
    assert lost == {}


def test_the_next_export_after_a_power_cut_completes_the_folder(
    stick: Path, job: Path, whole: dict[str, bytes]
) -> None:
    with machine.boot(export(hold_at=9), stick, job) as guest:
        guest.wait_for("HOLDING", 240)
        guest.cut_power()
    with machine.boot(export(), stick, job) as guest:
        assert guest.exit_code() == 0, guest.said
    assert machine.on_stick(stick) == whole


def test_a_stick_pulled_while_it_is_written_is_told_and_the_program_ends_by_itself(
    stick: Path, job: Path, whole: dict[str, bytes]
) -> None:
    with machine.boot(export(hold_at=5), stick, job) as guest:
        guest.wait_for("HOLDING", 240)
        guest.pull()
        assert guest.exit_code() == 5, guest.said
    assert "EXP-2/gone" in guest.said
    assert "PROGRAM ENDED 5" in guest.said
    assert "safe to remove" not in guest.said
    assert final_names(stick).items() <= whole.items()


def test_a_write_protected_stick_is_told_and_stays_as_it_is(stick: Path, job: Path) -> None:
    before = stick.read_bytes()
    mount = "mount -t vfat -o ro /dev/sda /mnt/stick"
    with machine.boot(export(mount=mount), stick, job, read_only=True) as guest:
        assert guest.exit_code() == 5, guest.said
    assert "EXP-2/read-only" in guest.said
    assert "WRITTEN" not in guest.said
    assert stick.read_bytes() == before


FLAKEY: Final = """
    table="0 $(blockdev --getsz /dev/sda) flakey /dev/sda 0 0 1 1 {feature}"
    dmsetup create liar --noudevsync --noudevrules --table "$table"
    mount -t vfat -o noatime /dev/dm-0 /mnt/stick
"""


@pytest.mark.parametrize(
    ("feature", "code"), [("drop_writes", "EXP-2/read-back"), ("error_writes", "EXP-2/gone")]
)
def test_a_stick_that_lies_or_fails_is_found_out(
    stick: Path, job: Path, feature: str, code: str
) -> None:
    mount = FLAKEY.format(feature=feature)
    with machine.boot(export(mount=mount), stick, job) as guest:
        assert guest.exit_code() == 5, guest.said
    assert code in guest.said
    assert "safe to remove" not in guest.said
    assert machine.on_stick(stick) == {}
