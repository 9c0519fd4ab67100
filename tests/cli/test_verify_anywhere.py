"""``verify`` with only Python and the package: no vault, no gpg, nothing of Linux alone (VER-1)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pai_signer.adapters import process
from pai_signer.composition_public import public_sources, public_verifiers
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, parse_registry
from pai_signer.errors import (
    EXIT_CANNOT_TELL,
    EXIT_DONE,
    EXIT_WRONG,
    BadSignature,
    SignerError,
    ToolMissing,
    UntrustedKey,
    UsageError,
)
from pai_signer.workflows.engine import Outcome
from pai_signer.workflows.verify.pins import NO_PINS, Pins
from pai_signer.workflows.verify.verify_release import VerifyRequest, verify_release
from tests.cli.program import ROOT
from tests.keys import new_weak_minisign_key
from tests.workflows.bench import RELEASE, published

#: What no other system has, and of ours what stands on it.
UNIX = ("fcntl", "resource", "termios", "tty", "pty", "curses", "pwd", "grp", "syslog", "readline")
LINUX = tuple(
    f"pai_signer.adapters.{name}"
    for name in ("hardening", "host", "media", "network", "uncached", "vault", "destination")
)
#: What ``os`` lacks on Windows.
ATTRIBUTES = (
    *("O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "posix_fadvise"),
    *("readv", "pread", "fstatvfs", "major", "killpg", "getuid", "geteuid", "fork"),
)

ELSEWHERE = """
import os, sys
modules, attributes, *arguments = sys.argv[1:]
blocked = set(modules.split(","))

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name in blocked:
            raise ImportError(f"{name} does not exist here")

for name in blocked:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Blocker())
for name in filter(None, attributes.split(",")):
    delattr(os, name)
    os.supports_dir_fd = set()
from pai_signer.__main__ import main
sys.argv = ["pai-signer", *arguments]
main()
"""


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exported, and downloaded; nobody changes it."""
    return published(tmp_path_factory.mktemp("anywhere") / "release")


def elsewhere(
    release: Path, *options: str, modules: tuple[str, ...], attributes: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Verify as on another system."""
    arguments = ["verify", str(release), "--keys", str(release / "keys")]
    return subprocess.run(
        [
            *(sys.executable, "-c", ELSEWHERE, ",".join(modules), ",".join(attributes)),
            *(*options, *arguments),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_linux_only_is_needed(release: Path) -> None:
    # gpg's homes are locked by flock(2), which every Unix has.
    others = [name for name in UNIX if name != "fcntl"]
    done = elsewhere(release, modules=(*others, *LINUX))
    assert done.returncode == EXIT_DONE, done.stderr
    assert f"GOOD: PAI {RELEASE}: 2 of 2 files match" in " ".join(done.stdout.split())


def test_where_gpg_cannot_be_driven_the_rest_is_checked_and_said_so(release: Path) -> None:
    """As on Windows: no openat, no O_NOFOLLOW, no process groups, no ctypes for us."""
    done = elsewhere(
        release, "--json", modules=(*UNIX, *LINUX, "ctypes", "mmap"), attributes=ATTRIBUTES
    )
    assert done.returncode == EXIT_CANNOT_TELL, done.stderr
    said = json.loads(done.stdout)
    assert said["exit_code"] == EXIT_CANNOT_TELL
    assert "2 of 2 files match the signed manifest" in said["error"]["summary"]
    assert "OpenPGP signatures could not be checked" in said["error"]["summary"]


def test_a_changed_file_is_found_there_as_well(release: Path, tmp_path: Path) -> None:
    changed = published(tmp_path / "changed")
    [image, *_] = changed.glob("*.iso")
    image.write_bytes(image.read_bytes()[:-1] + b"!")
    done = elsewhere(changed, modules=(*UNIX, *LINUX, "ctypes"), attributes=ATTRIBUTES)
    assert done.returncode == EXIT_WRONG, done.stderr


def test_a_link_is_not_followed_there_either(tmp_path: Path) -> None:
    linked = published(tmp_path / "linked")
    [image, *_] = linked.glob("*.iso")
    image.rename(tmp_path / "elsewhere.iso")
    image.symlink_to(tmp_path / "elsewhere.iso")
    done = elsewhere(linked, modules=(*UNIX, *LINUX, "ctypes"), attributes=ATTRIBUTES)
    assert "1 of 2 files match" in " ".join(done.stderr.split())
    assert done.returncode == EXIT_CANNOT_TELL


# --- without gpg -------------------------------------------------------------------------------


@pytest.fixture
def no_gpg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(process, "TOOL_PATH", str(tmp_path))


def verify(folder: Path, *, pins: Pins = NO_PINS, gpg_optional: bool = True) -> Outcome:
    request = VerifyRequest(
        directory=folder, keys=folder / "keys", pins=pins, gpg_optional=gpg_optional
    )
    return verify_release(request, public_sources(), public_verifiers(), Progress())


@pytest.mark.usefixtures("no_gpg")
def test_without_gpg_the_verdict_is_could_not_tell_and_what_was_checked(release: Path) -> None:
    outcome = verify(release)
    assert outcome.data["verdict"] == "could-not-tell"
    assert outcome.data["tag"] is None, "only OpenPGP signs the tag"
    assert outcome.refusal is not None
    assert outcome.refusal.exit_code == EXIT_CANNOT_TELL
    assert "'gpg' is not installed" in outcome.refusal.summary
    assert not any("OpenPGP" in signer for signer in outcome.data["signed_by"])


@pytest.mark.usefixtures("no_gpg")
def test_without_gpg_a_wrong_minisign_signature_is_wrong(tmp_path: Path) -> None:
    folder = published(tmp_path / "wrong")
    receipt = folder / "receipt.json.minisig"
    (folder / "SHA256SUMS.minisig").write_bytes(receipt.read_bytes())
    with pytest.raises(BadSignature):
        verify(folder)


@pytest.mark.usefixtures("no_gpg")
@pytest.mark.parametrize("missing", ["SHA256SUMS.minisig", "keys/registry.json.minisig"])
def test_without_gpg_and_without_minisign_nothing_is_good(tmp_path: Path, missing: str) -> None:
    folder = published(tmp_path / "bare")
    (folder / missing).unlink()
    with pytest.raises(SignerError) as error:
        verify(folder)
    assert error.value.exit_code == EXIT_CANNOT_TELL


@pytest.mark.usefixtures("no_gpg")
def test_what_is_signed_here_is_never_passed_without_gpg(release: Path) -> None:
    """SIG-5: optional for everyone, never for the workstation."""
    with pytest.raises(ToolMissing):
        verify(release, gpg_optional=False)


# --- pinned keys -------------------------------------------------------------------------------


def keys_of(release: Path) -> dict[Algorithm, tuple[str, str]]:
    registry = parse_registry((release / "keys" / "registry.json").read_bytes())
    return {key.algorithm: (key.id, key.public_key) for key in registry.keys}


def test_a_pinned_key_that_vouches_is_accepted(release: Path) -> None:
    keys = keys_of(release)
    fingerprint = keys[Algorithm.OPENPGP][0]
    spaced = " ".join(fingerprint[i : i + 4] for i in range(0, 40, 4)).lower()
    pins = Pins.of([spaced], [keys[Algorithm.MINISIGN][1]])
    assert verify(release, pins=pins).data["verdict"] == "good"


def test_a_pinned_key_that_is_not_there_is_refused(release: Path) -> None:
    for pins in (Pins.of(["AB" * 20], []), Pins.of([], [new_weak_minisign_key().public_key])):
        with pytest.raises(UntrustedKey) as error:
            verify(release, pins=pins)
        assert error.value.code == "VER-1/pin"


@pytest.mark.usefixtures("no_gpg")
def test_a_pinned_openpgp_key_cannot_be_told_without_gpg(release: Path) -> None:
    with pytest.raises(ToolMissing):
        verify(release, pins=Pins.of([keys_of(release)[Algorithm.OPENPGP][0]], []))


def test_a_key_id_is_no_whole_key(release: Path) -> None:
    keys = keys_of(release)
    for wrong in ([keys[Algorithm.OPENPGP][0][-16:]], [], ["x" * 40]):
        with pytest.raises(UsageError):
            Pins.of(wrong, [] if wrong else [keys[Algorithm.MINISIGN][0]])
