"""``verify``, for everyone: what is good, what is wrong, and what cannot be told (VER-1)."""

import functools
import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pai_signer.adapters.gpg_keys import GpgKeys
from pai_signer.composition import sources, verifiers
from pai_signer.domain.minisig import parse_public_key, trusted_comment
from pai_signer.domain.progress import Progress
from pai_signer.domain.receipt import parse_receipt
from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import Algorithm, KeyState, RegisteredKey, Registry, parse_registry
from pai_signer.errors import CannotTell, SignerError, UntrustedKey
from pai_signer.workflows.engine import Outcome
from pai_signer.workflows.verify.verify_index import NO_INDEX
from pai_signer.workflows.verify.verify_release import (
    KEYS_FROM_THE_RELEASE,
    VerifyRequest,
    verify_release,
)
from pai_signer.workflows.workbench import Workbench
from tests.keys import (
    RealClock,
    install_weak_openpgp_key,
    new_weak_minisign_key,
    weak_minisign_keys,
    weak_openpgp_key,
    weak_passphrase,
)
from tests.workflows.bench import (
    RELEASE,
    a_strangers_repository,
    downloads_copy,
    keyed_vault,
    opened,
    rename_release,
    run,
    secrets,
    sign,
)

AMD, ARM = "pai-0.2.0-amd64.iso", "pai-0.2.0-arm64.iso"


def verify(directory: Path, keys: Path | None = None, **options: Any) -> Outcome:
    request = VerifyRequest(directory=directory, keys=keys or directory / "keys", **options)
    return verify_release(request, sources(), verifiers(), Progress())


def refused(directory: Path, keys: Path | None = None, *, exit_code: int = 4) -> SignerError:
    with pytest.raises(SignerError) as error:
        verify(directory, keys)
    assert error.value.exit_code == exit_code, error.value
    assert error.value.hint
    return error.value


def unproved(outcome: Outcome) -> list[str]:
    return [s["text"] for s in outcome.data["statements"] if not s["proved"]]


def signatures(folder: Path) -> list[Path]:
    return [p for p in folder.iterdir() if p.suffix in (".minisig", ".asc")]


# --- good -------------------------------------------------------------------------------------


def test_a_whole_release_is_good_and_says_by_whom(folder: Path) -> None:
    outcome = verify(folder)
    assert outcome.data["verdict"] == "good"
    assert outcome.data["version"] == RELEASE
    assert outcome.data["files_checked"] == [AMD, ARM]
    assert outcome.data["signatures_missing"] == []
    assert "2 of 2 files match the signed manifest, the tag is signed" in outcome.data["text"]
    assert "The keys came with the release" in outcome.data["text"]
    assert unproved(outcome) == [
        NO_INDEX,
        KEYS_FROM_THE_RELEASE,
        "UPLOAD.md: NOT SIGNED, not checked",
        "reminders.ics: NOT SIGNED, not checked",
        "upload.sh: NOT SIGNED, not checked",
        "keys: NOT CHECKED, it is a folder, and folders are not entered",
    ]


def test_a_partial_download_is_good_for_what_is_there(folder: Path) -> None:
    (folder / ARM).unlink()
    outcome = verify(folder)
    assert "1 of 2 files" in outcome.data["text"]
    assert outcome.data["files_absent"] == [ARM]


def test_the_manifest_alone_does_not_claim_any_file(folder: Path) -> None:
    for name in (AMD, ARM):
        (folder / name).unlink()
    assert "none of its 2 files is here" in verify(folder).data["text"]


@pytest.mark.parametrize(("suffix", "system"), [(".minisig", "minisign"), (".asc", "OpenPGP")])
def test_one_missing_signature_is_said_in_the_verdict(
    folder: Path, suffix: str, system: str
) -> None:
    (folder / f"SHA256SUMS{suffix}").unlink()
    outcome = verify(folder)
    assert outcome.data["signatures_missing"] == [system]
    assert f"A signature is missing: {system}." in outcome.data["text"]
    assert outcome.data["verdict"] == "could-not-tell"
    assert outcome.refusal is not None
    assert (outcome.refusal.code, outcome.refusal.exit_code) == ("VER-1/signature-missing", 5)


@pytest.mark.parametrize("beside", [(), ("v0.2.0.bundle",)], ids=["alone", "with the tag"])
def test_an_image_on_one_keys_word_alone_is_not_good(
    folder: Path, tmp_path: Path, beside: tuple[str, ...]
) -> None:
    """With the manifest taken away too, a stolen minisign key could vouch for any image."""
    left = tmp_path / "left"
    left.mkdir()
    for name in (AMD, f"{AMD}.minisig", *beside):
        shutil.copy(folder / name, left)
    outcome = verify(left, folder / "keys")
    assert outcome.data["signatures_missing"] == ["OpenPGP"]
    assert outcome.refusal is not None
    assert (outcome.refusal.code, outcome.refusal.exit_code) == ("VER-1/signature-missing", 5)


def test_without_any_signature_it_cannot_be_told(folder: Path) -> None:
    for path in signatures(folder):
        path.unlink()
    assert refused(folder, exit_code=5).code == "VER-1/unsigned"


def test_a_folder_of_nothing_signed_cannot_be_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    shutil.copy(folder / AMD, tmp_path / "empty")
    assert refused(tmp_path / "empty", folder / "keys", exit_code=5).code == "VER-1/nothing-signed"


def test_an_artifact_with_its_own_signature_needs_no_manifest(folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in (AMD, f"{AMD}.minisig"):
        shutil.copy(folder / name, alone)
    assert verify(alone, folder / "keys").data["version"] == RELEASE


def test_a_file_that_nobody_signed_is_never_passed_over_in_silence(folder: Path) -> None:
    (folder / "pai-0.2.0-riscv64.iso").write_bytes(b"evil")
    outcome = verify(folder)
    assert "pai-0.2.0-riscv64.iso: NOT SIGNED, not checked" in unproved(outcome)
    assert "pai-0.2.0-riscv64.iso" not in outcome.data["files_checked"]


def test_a_link_named_like_a_listed_file_is_not_checked_and_says_so(folder: Path) -> None:
    (folder / AMD).rename(folder / "elsewhere")
    (folder / AMD).symlink_to("elsewhere")
    outcome = verify(folder)
    assert any(
        text.startswith(f"{AMD}: NOT CHECKED, it is a symbolic link") for text in unproved(outcome)
    )
    assert outcome.data["files_checked"] == [ARM]


def without_manifest(folder: Path) -> None:
    for name in ("SHA256SUMS", "SHA256SUMS.minisig", "SHA256SUMS.asc"):
        (folder / name).unlink()


def test_without_the_manifest_the_receipt_says_which_files_were_signed(folder: Path) -> None:
    without_manifest(folder)
    outcome = verify(folder)
    assert outcome.data["files_checked"] == [AMD, ARM]
    assert "2 files are those that the receipt names" in outcome.data["text"]


@pytest.mark.parametrize("hidden", ["link", "case", "absent"])
def test_a_signature_never_stands_in_for_a_file_that_was_not_read(
    folder: Path, hidden: str
) -> None:
    """The receipt lends the digest: the signature is right, and nothing is said of the file."""
    without_manifest(folder)
    (folder / AMD).unlink()
    if hidden == "link":
        (folder / ".evil").write_bytes(b"evil")
        (folder / AMD).symlink_to(".evil")
    elif hidden == "case":
        for name in (AMD, AMD.upper()):
            (folder / name).write_bytes(b"evil")
    outcome = verify(folder)
    assert outcome.data["files_checked"] == [ARM]
    assert outcome.data["files_absent"] == [AMD]
    assert f"{AMD}: not in this folder, not checked" in unproved(outcome)
    assert any(text.startswith(f"{AMD}: NOT CHECKED") for text in unproved(outcome)) is (
        hidden != "absent"
    )
    proved = [s["text"] for s in outcome.data["statements"] if s["proved"]]
    assert not [text for text in proved if text.startswith(f"{AMD}: ")]


def test_a_changed_artifact_is_refused_without_manifest_and_signature_too(folder: Path) -> None:
    without_manifest(folder)
    (folder / f"{AMD}.minisig").unlink()
    (folder / AMD).write_bytes(b"another")
    assert refused(folder).code == "VER-1/digest"


def test_loose_small_files_links_and_folders_are_never_passed_over_in_silence(
    folder: Path,
) -> None:
    loose = ["README.asc", f"{AMD}.asc", "receipt-tag.txt", "receipt-tag.json.asc"]
    for name in loose:
        (folder / name).write_text("evil")
    (folder / "tools").mkdir()
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "evil name.iso").write_text("evil")
    outcome = verify(folder)
    said = unproved(outcome)
    assert {f"{name}: NOT SIGNED, not checked" for name in loose} <= set(said)
    for name in ("tools", "link", "evil name.iso"):
        assert any(text.startswith(f"{name}: NOT CHECKED, ") for text in said)


def test_a_text_of_a_receipt_that_is_not_here_is_not_signed(folder: Path) -> None:
    for suffix in (".json", ".json.minisig", ".json.asc"):
        (folder / f"receipt{suffix}").unlink()
    assert "receipt.txt: NOT SIGNED, not checked" in unproved(verify(folder))


def test_what_a_receipt_that_could_not_be_checked_says_of_a_file_is_not_believed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without gpg a forged receipt is neither good nor bad, and nor is what it speaks for."""
    without_manifest(folder)
    for name in (f"{AMD}.minisig", "receipt.json.minisig"):
        (folder / name).unlink()
    (folder / AMD).write_bytes(b"evil")
    receipt = parse_receipt((folder / "receipt.json").read_bytes())
    evil = msgspec.structs.replace(
        receipt.artifacts[0], sha256=hashlib.sha256(b"evil").hexdigest(), size_bytes=4
    )
    forged = msgspec.structs.replace(receipt, artifacts=(evil, *receipt.artifacts[1:]))
    (folder / "receipt.json").write_bytes(encode_record(forged))
    monkeypatch.setattr("pai_signer.adapters.process.TOOL_PATH", "/nonexistent")
    outcome = verify(folder, gpg_optional=True)
    assert outcome.data["verdict"] == "could-not-tell"
    assert AMD not in outcome.data["files_checked"]
    assert f"{AMD}: NOT SIGNED, not checked" in unproved(outcome)


def test_keys_from_elsewhere_are_not_said_to_be_of_the_release(
    folder: Path, tmp_path: Path
) -> None:
    keys = shutil.copytree(folder / "keys", tmp_path / "known")
    outcome = verify(folder, Path(keys))
    assert KEYS_FROM_THE_RELEASE not in unproved(outcome)
    assert "came with the release" not in outcome.data["text"]


# --- wrong ------------------------------------------------------------------------------------


def test_a_changed_artifact_exits_4_with_both_digests(folder: Path) -> None:
    signed = hashlib.sha256((folder / AMD).read_bytes()).hexdigest()
    (folder / AMD).write_bytes(b"another")
    error = refused(folder)
    assert error.code == "VER-1/digest"
    assert signed in error.summary
    assert hashlib.sha256(b"another").hexdigest() in error.summary


def test_an_artifact_that_is_not_listed_but_signed_is_refused(folder: Path) -> None:
    shutil.copy(folder / AMD, folder / "pai-0.2.0-other.iso")
    shutil.copy(folder / f"{AMD}.minisig", folder / "pai-0.2.0-other.iso.minisig")
    assert refused(folder).code == "VER-1/not-listed"


def test_a_renamed_file_with_its_signature_is_refused(folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(folder / AMD, alone / "pai-9.9.9-amd64.iso")
    shutil.copy(folder / f"{AMD}.minisig", alone / "pai-9.9.9-amd64.iso.minisig")
    assert refused(alone, folder / "keys").code == "SIG-2/renamed"


SMALL = [
    "SHA256SUMS",
    "SHA256SUMS.minisig",
    "SHA256SUMS.asc",
    "receipt.json",
    "receipt.json.minisig",
    "receipt.json.asc",
    "receipt.txt",
    f"{RELEASE}.bundle",
    f"{AMD}.minisig",
    "keys/registry.json",
    "keys/registry.json.minisig",
    "keys/registry.json.asc",
]


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("where", [0.5, 0.9])
def test_one_changed_bit_in_any_signed_file_is_refused(
    folder: Path, name: str, where: float
) -> None:
    data = bytearray((folder / name).read_bytes())
    data[int(len(data) * where)] ^= 0x04
    (folder / name).write_bytes(data)
    refused(folder)


@pytest.mark.parametrize("name", SMALL)
def test_a_signed_file_that_is_cut_off_is_refused(folder: Path, name: str) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: len(data) // 2])
    refused(folder)


def test_the_unsigned_comment_of_a_signature_proves_nothing_either_way(folder: Path) -> None:
    for receipt in folder.glob("receipt*"):  # which would pin the whole file
        receipt.unlink()
    path = folder / "SHA256SUMS.minisig"
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([b"untrusted comment: trust me, I am v9", *lines[1:]]))
    assert verify(folder).data["version"] == RELEASE


# --- keys (KEY-2) -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Successors:
    """Other keys than the bench's, which sign a registry after it: weak test keys."""

    minisign_file: bytes
    minisign: RegisteredKey
    openpgp: RegisteredKey


@functools.cache
def successors() -> Successors:
    made, info = new_weak_minisign_key(), weak_openpgp_key().info
    minisign = RegisteredKey(
        algorithm=Algorithm.MINISIGN,
        id=parse_public_key(made.public_key).shown_id,
        public_key=made.public_key,
        state=KeyState.ACTIVE,
        created_at=info.created_at,
    )
    openpgp = RegisteredKey(
        algorithm=Algorithm.OPENPGP,
        id=info.fingerprint,
        public_key=info.certificate,
        state=KeyState.ACTIVE,
        created_at=info.created_at,
    )
    return Successors(made.key_file, minisign, openpgp)


def write_registry(keys: Path, former: tuple[RegisteredKey, ...], start: Registry) -> Path:
    """A registry folder in which the successors are active, and have signed it."""
    keys.mkdir()
    new = successors()
    registry = msgspec.structs.replace(
        start,
        serial=2,
        changed_at=RealClock().now(),
        keys=(*former, new.minisign, new.openpgp),
    )
    data = encode_record(registry)
    (keys / "registry.json").write_bytes(data)
    directory = weak_minisign_keys(keys.with_name("successor-minisign"))
    directory.import_key(new.minisign_file, weak_passphrase())
    unlocked = directory.unlock(new.minisign.public_key, weak_passphrase())
    comment = trusted_comment("PAI", "registry-2", "registry.json")
    signature = unlocked.sign_prehashed(hashlib.blake2b(data).digest(), comment)
    (keys / "registry.json.minisig").write_bytes(signature)
    home = keys.with_name("successor-gnupg")
    install_weak_openpgp_key(home)
    gpg = GpgKeys(home, RealClock())
    signature = gpg.sign_detached(data, new.openpgp.id, weak_passphrase())
    (keys / "registry.json.asc").write_bytes(signature)
    return keys


@pytest.fixture
def rotated(folder: Path, tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """The release, and a registry in which the keys that signed it have another state."""

    def make(
        state: KeyState, since: Callable[[RegisteredKey], datetime | None] = lambda key: None
    ) -> tuple[Path, Path]:
        old = parse_registry((folder / "keys" / "registry.json").read_bytes())
        former = tuple(
            msgspec.structs.replace(key, state=state, state_since=since(key)) for key in old.keys
        )
        return folder, write_registry(tmp_path / "rotated", former, old)

    return make


def test_an_old_release_under_retired_keys_is_good(
    rotated: Callable[..., tuple[Path, Path]],
) -> None:
    outcome = verify(*rotated(KeyState.RETIRED))
    assert outcome.data["verdict"] == "good"
    assert all(signer.endswith("(retired)") for signer in outcome.data["signed_by"])


@pytest.mark.parametrize("kept", ["SHA256SUMS", "receipt.json", "the tag"])
def test_a_signature_from_after_the_retirement_of_its_key_is_refused(
    folder: Path, rotated: Callable[..., tuple[Path, Path]], kept: str
) -> None:
    """As sqv does: nobody honest signs with a key that is out of use (KEY-5)."""
    if kept != "SHA256SUMS":
        without_manifest(folder)
    if kept == "the tag":
        for path in folder.glob("receipt*"):
            path.unlink()
    at_birth = rotated(KeyState.RETIRED, lambda key: key.created_at)
    assert refused(*at_birth).code == "KEY-5/signed-after-retirement"


def test_a_signature_from_before_the_retirement_of_its_key_stays_good(
    folder: Path, rotated: Callable[..., tuple[Path, Path]]
) -> None:
    later = datetime.now(UTC).replace(microsecond=0)
    assert verify(*rotated(KeyState.RETIRED, lambda key: later)).data["verdict"] == "good"


def test_a_release_under_a_compromised_key_is_refused(
    rotated: Callable[..., tuple[Path, Path]],
) -> None:
    assert refused(*rotated(KeyState.COMPROMISED)).code == "KEY-5/compromised"


def test_a_registry_in_which_no_key_can_sign_is_refused(folder: Path) -> None:
    """Without this, retiring every key in the file would spare forging its signatures."""
    path = folder / "keys" / "registry.json"
    path.write_bytes(path.read_bytes().replace(b'"active"', b'"retired"'))
    assert refused(folder, exit_code=5).code == "KEY-2/no-signer"


@pytest.mark.parametrize("name", ["registry.json.minisig", "registry.json.asc"])
def test_a_registry_without_one_of_its_signatures_is_refused(folder: Path, name: str) -> None:
    (folder / "keys" / name).unlink()
    assert refused(folder, exit_code=5).code == "KEY-2/unsigned-registry"


def test_no_registry_cannot_be_told(folder: Path) -> None:
    (folder / "keys" / "registry.json").unlink()
    assert refused(folder, exit_code=5).code == "KEY-2/no-registry"


def test_a_release_of_keys_that_are_not_registered_is_refused(folder: Path, tmp_path: Path) -> None:
    old = parse_registry((folder / "keys" / "registry.json").read_bytes())
    keys = write_registry(tmp_path / "strange", (), old)
    assert isinstance(refused(folder, keys), UntrustedKey)


def test_a_rehearsal_is_refused_in_production_and_good_as_a_rehearsal(tmp_path: Path) -> None:
    with opened(keyed_vault(tmp_path / "vault", rehearsal=True)) as bench:
        run(bench, "release.import", directory=str(downloads_copy(tmp_path / "stick")))
        sign(bench)
        exported = run(bench, "release.export", version=RELEASE, directory=str(tmp_path))
    released = Path(exported.data["folder"])
    assert refused(released).code == "FACE-5/rehearsal"
    assert verify(released, accept_rehearsal=True).data["version"] == RELEASE


# --- mixtures -----------------------------------------------------------------------------------


@pytest.fixture
def next_release(signed: Workbench, tmp_path: Path) -> Path:
    """v0.3.0 of the same vault, at another commit, exported."""
    source = rename_release(downloads_copy(tmp_path / "next"), "0.3.0", b"next")
    (source / "practice.bundle").unlink()
    shutil.move(a_strangers_repository(tmp_path / "repository").full_bundle(), source)
    run(signed, "release.import", directory=str(source))
    sign(signed, "v0.3.0", **{"waive.POL-5": "another history"})
    outcome = run(signed, "release.export", version="v0.3.0", directory=str(tmp_path))
    return Path(outcome.data["folder"])


def copy_all(names: list[str], start: Path, to: Path) -> None:
    for name in names:
        shutil.copy(start / name, to)


def test_the_tag_of_another_release_is_refused(folder: Path, next_release: Path) -> None:
    (folder / f"{RELEASE}.bundle").unlink()
    copy_all(["v0.3.0.bundle"], next_release, folder)
    assert refused(folder).code in ("SIG-4/other-commit", "VER-1/two-versions")


def test_manifest_and_tag_of_two_releases_are_refused_without_a_receipt(
    folder: Path, next_release: Path
) -> None:
    for path in folder.glob("receipt*"):
        path.unlink()
    (folder / f"{RELEASE}.bundle").unlink()
    copy_all(["v0.3.0.bundle"], next_release, folder)
    assert refused(folder).code == "VER-1/two-versions"


def test_a_tag_never_lends_its_version_to_a_manifest_that_states_none(
    folder: Path, next_release: Path
) -> None:
    """Only the OpenPGP signature of the manifest is there, and that says no version."""
    for path in {*folder.glob("receipt*"), *folder.glob("*.minisig")}:
        path.unlink()
    (folder / f"{RELEASE}.bundle").unlink()
    copy_all(["v0.3.0.bundle"], next_release, folder)
    outcome = verify(folder)
    assert outcome.data["version"] == ""
    assert "SHA256SUMS: nothing signed here says which release it is of" in unproved(outcome)


def test_the_receipt_of_another_release_is_refused(folder: Path, next_release: Path) -> None:
    copy_all(["receipt.json", "receipt.json.asc", "receipt.json.minisig"], next_release, folder)
    assert refused(folder).code in ("EXP-3/contradiction", "SIG-4/other-commit")


def test_the_manifest_of_another_release_is_refused(folder: Path, next_release: Path) -> None:
    names = ["SHA256SUMS", "SHA256SUMS.asc", "SHA256SUMS.minisig"]
    copy_all(names, next_release, folder)
    refused(folder)


def test_the_text_of_another_receipt_is_refused(folder: Path, next_release: Path) -> None:
    copy_all(["receipt.txt"], next_release, folder)
    assert refused(folder).code == "EXP-3/contradiction"


def test_a_receipt_under_the_name_of_another_visit_is_refused(folder: Path) -> None:
    for suffix in ("", ".asc"):
        (folder / f"receipt.json{suffix}").rename(folder / f"receipt-tag.json{suffix}")
    (folder / "receipt.json.minisig").unlink()
    assert refused(folder).code == "EXP-3/contradiction"


def test_a_signature_made_for_another_project_is_refused(signed: Workbench, folder: Path) -> None:
    key = signed.registry().signing_key(Algorithm.MINISIGN)
    assert key is not None
    passphrase = secrets()["minisign"]
    assert not isinstance(passphrase, str)
    unlocked = signed.minisign.unlock(key.public_key, passphrase)
    digest = hashlib.blake2b((folder / AMD).read_bytes()).digest()
    comment = trusted_comment("OTHER", RELEASE, AMD)
    (folder / f"{AMD}.minisig").write_bytes(unlocked.sign_prehashed(digest, comment))
    for path in folder.glob("receipt*"):
        path.unlink()
    assert refused(folder).code == "SIG-2/other-project"


def test_two_bundles_are_refused(folder: Path, next_release: Path) -> None:
    copy_all(["v0.3.0.bundle"], next_release, folder)
    assert refused(folder).code == "VER-1/two-bundles"


def test_a_receipt_says_what_was_signed(folder: Path) -> None:
    receipt = parse_receipt((folder / "receipt.json").read_bytes())
    for name, digest in receipt.files.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert set(receipt.files) <= {path.name for path in folder.iterdir()}


def test_a_missing_tool_is_cannot_tell(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pai_signer.adapters.process.TOOL_PATH", "/nonexistent")
    with pytest.raises(CannotTell) as error:
        verify(folder)
    assert "apt-get install" in error.value.hint
