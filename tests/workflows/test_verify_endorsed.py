"""A release under a compromised key: good by what is left to vouch for it, and by nothing else.

Every refusal exits with 4 and says which rule it was (KEY-5, VER-1).
"""

import dataclasses
import functools
import hashlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pai_signer.composition import sources, verifiers
from pai_signer.domain.compromise import notice_name
from pai_signer.domain.endorsement import Endorsement, endorsement_name, parse_endorsement
from pai_signer.domain.minisig import trusted_comment
from pai_signer.domain.progress import Progress
from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import MINISIG_SUFFIX, Algorithm, parse_registry
from pai_signer.domain.secret import Secret
from pai_signer.errors import SignerError
from pai_signer.workflows.engine import Outcome
from pai_signer.workflows.keys.compromise_papers import verify_papers
from pai_signer.workflows.verify.verify_registry import verify_registry
from pai_signer.workflows.verify.verify_release import VerifyRequest, verify_release
from tests.keys import scratch_key
from tests.workflows.bench import (
    PHRASES,
    RELEASE,
    downloads,
    keyed_vault,
    published,
    run,
    secrets,
    sign,
    signed_vault,
    stored,
)
from tests.workflows.compromise import answers, minisign, opened_later, openpgp, revoke

AMD: Final = "pai-0.2.0-amd64.iso"


@dataclass(frozen=True)
class Compromised:
    """A release folder, the keys published after its key was revoked, and the vault."""

    vault: Path
    release: Path
    keys: Path
    key_id: str
    other: str

    @property
    def listed(self) -> Path:
        return self.keys / endorsement_name(self.key_id)


@functools.cache
def _prepared(algorithm: Algorithm) -> tuple[Path, str, str]:
    folder = stored(f"compromised-{algorithm.value}")
    with opened_later(signed_vault(folder / "vault")) as opened:
        ids = {a: (minisign if a is Algorithm.MINISIGN else openpgp)(opened) for a in Algorithm}
        key_id = ids.pop(algorithm)
        revoke(opened, key_id)
        (folder / "keys").mkdir()
        run(opened, "key.publish", directory=str(folder / "keys"))
    published(folder / "release")
    return folder, key_id, next(iter(ids.values()))


def prepared(algorithm: Algorithm, to: Path) -> Compromised:
    start, key_id, other = _prepared(algorithm)
    shutil.copytree(start, to)
    return Compromised(to / "vault", to / "release", to / "keys", key_id, other)


@pytest.fixture
def minisign_gone(tmp_path: Path) -> Compromised:
    return prepared(Algorithm.MINISIGN, tmp_path / "case")


@pytest.fixture
def openpgp_gone(tmp_path: Path) -> Compromised:
    return prepared(Algorithm.OPENPGP, tmp_path / "case")


def verify(case: Compromised, **options: Any) -> Outcome:
    request = VerifyRequest(directory=case.release, keys=case.keys, **options)
    return verify_release(request, sources(), verifiers(), Progress())


def refused(case: Compromised, code: str | None = None, exit_code: int = 4) -> SignerError:
    with pytest.raises(SignerError) as error:
        verify(case)
    assert error.value.exit_code == exit_code, error.value
    assert code in (None, error.value.code), error.value
    return error.value


def keep(case: Compromised, names: Iterable[str]) -> None:
    """Leave only these files of the release."""
    wanted = set(names)
    for path in case.release.iterdir():
        if path.is_file() and path.name not in wanted:
            path.unlink()


ONLY_MINISIGN: Final = ("SHA256SUMS", "SHA256SUMS.minisig", AMD)


# --- what still vouches -------------------------------------------------------------------


def test_a_release_that_a_good_key_signed_as_well_is_good_by_that_key_and_by_the_list(
    minisign_gone: Compromised,
) -> None:
    data = verify(minisign_gone).data
    by = f"OpenPGP {minisign_gone.other} (active)"
    nothing = f"minisign {minisign_gone.key_id}"
    assert data["signed_by"] == [by]
    assert data["endorsed_by"] == [by]
    assert data["counts_for_nothing"] == [nothing]
    assert "2 of 2 files match the signed manifest, the tag is signed, by OpenPGP" in data["text"]
    assert f"The signature by the compromised key {nothing} counts for nothing." in data["text"]
    assert data["version"] == RELEASE


def test_without_the_list_the_good_key_alone_vouches_and_the_compromised_one_adds_nothing(
    minisign_gone: Compromised,
) -> None:
    for path in minisign_gone.keys.glob("endorsement-*"):
        path.unlink()
    with_it = verify(minisign_gone).data
    assert with_it["endorsed_by"] == []
    assert with_it["signed_by"] == [f"OpenPGP {minisign_gone.other} (active)"]
    for path in minisign_gone.release.glob("*.minisig"):
        path.unlink()
    without_it = verify(minisign_gone).data
    same = ("verdict", "version", "signed_by", "files_checked", "tag")
    assert [with_it[name] for name in same] == [without_it[name] for name in same]


def test_what_only_the_compromised_key_signed_is_good_only_through_the_list(
    minisign_gone: Compromised,
) -> None:
    keep(minisign_gone, ONLY_MINISIGN)
    data = verify(minisign_gone).data
    by = f"OpenPGP {minisign_gone.other} (active)"
    assert (data["signed_by"], data["endorsed_by"]) == ([], [by])
    assert f"1 of 2 files match the endorsed manifest, endorsed by {by}." in data["text"]
    assert data["version"] == RELEASE
    for path in minisign_gone.keys.glob("endorsement-*"):
        path.unlink()
    error = refused(minisign_gone, "KEY-5/compromised")
    assert minisign_gone.key_id in error.summary


def test_the_tag_that_only_the_compromised_openpgp_key_signed_is_endorsed(
    openpgp_gone: Compromised,
) -> None:
    data = verify(openpgp_gone).data
    by = f"minisign {openpgp_gone.other} (active)"
    assert data["signed_by"] == data["endorsed_by"] == [by]
    assert "match the signed manifest, the tag is endorsed, by minisign" in data["text"]
    for path in openpgp_gone.keys.glob("endorsement-*"):
        path.unlink()
    refused(openpgp_gone, "KEY-5/compromised")
    (openpgp_gone.release / f"{RELEASE}.bundle").unlink()
    assert verify(openpgp_gone).data["endorsed_by"] == []


def test_an_artifact_alone_is_good_by_its_endorsed_signature(minisign_gone: Compromised) -> None:
    keep(minisign_gone, (AMD, f"{AMD}.minisig"))
    data = verify(minisign_gone).data
    assert data["text"].startswith(f"GOOD: PAI {RELEASE}: endorsed, endorsed by OpenPGP")
    image = minisign_gone.release / AMD
    image.write_bytes(image.read_bytes()[:-1] + b"x")
    refused(minisign_gone)


# --- refused ----------------------------------------------------------------------------------


def forged(case: Compromised, name: str, data: bytes, version: str = RELEASE) -> None:
    """What whoever has the minisign key can make: a file with a signature that verifies."""
    with opened_later(case.vault) as bench:
        line = bench.registry().find(case.key_id).public_key
        key = bench.minisign.unlock(line, Secret(bytearray(PHRASES["minisign"])))
        comment = trusted_comment("PAI", version, name)
        signature = key.sign_prehashed(hashlib.blake2b(data).digest(), comment)
    (case.release / name).write_bytes(data)
    (case.release / f"{name}{MINISIG_SUFFIX}").write_bytes(signature)


def manifest_of(case: Compromised, name: str) -> bytes:
    digest = hashlib.sha256((case.release / name).read_bytes()).hexdigest()
    return f"{digest}  {name}\n".encode()


def test_a_new_release_by_whoever_has_the_key_is_refused(minisign_gone: Compromised) -> None:
    keep(minisign_gone, ())
    forged(minisign_gone, "pai-0.9.0-amd64.iso", b"evil", "v0.9.0")
    refused(minisign_gone, "KEY-5/not-endorsed")
    forged(minisign_gone, "SHA256SUMS", manifest_of(minisign_gone, "pai-0.9.0-amd64.iso"), "v0.9.0")
    refused(minisign_gone, "KEY-5/not-endorsed")


def test_an_old_version_with_other_content_is_refused(minisign_gone: Compromised) -> None:
    keep(minisign_gone, ())
    (minisign_gone.release / AMD).write_bytes(b"evil")
    forged(minisign_gone, "SHA256SUMS", manifest_of(minisign_gone, AMD))
    refused(minisign_gone, "KEY-5/other-content")


def test_a_forged_artifact_beside_the_good_manifest_is_refused(minisign_gone: Compromised) -> None:
    forged(minisign_gone, AMD, b"evil")
    refused(minisign_gone, "VER-1/digest")
    forged(minisign_gone, "pai-0.2.0-riscv64.iso", b"evil")
    (minisign_gone.release / AMD).unlink()
    refused(minisign_gone, "VER-1/not-listed")


def signed_list(case: Compromised, changed: Endorsement, *, by_compromised: bool = False) -> None:
    """Publish another list; signed by the key that is left, or by the compromised one."""
    data = encode_record(changed)
    case.listed.write_bytes(data)
    for path in case.keys.glob(f"{case.listed.name}.*"):
        path.unlink()
    with opened_later(case.vault) as bench:
        if not by_compromised:
            signature = bench.openpgp.sign_detached(
                data, case.other, Secret(bytearray(PHRASES["gpg"]))
            )
            case.listed.with_name(f"{case.listed.name}.asc").write_bytes(signature)
            return
        line = bench.registry().find(case.key_id).public_key
        key = bench.minisign.unlock(line, Secret(bytearray(PHRASES["minisign"])))
        comment = trusted_comment("PAI", "registry-3", case.listed.name)
        signature = key.sign_prehashed(hashlib.blake2b(data).digest(), comment)
        case.listed.with_name(f"{case.listed.name}.minisig").write_bytes(signature)


def known_list(case: Compromised) -> Endorsement:
    return parse_endorsement(case.listed.read_bytes())


def test_a_list_that_only_the_compromised_key_signed_is_refused(
    minisign_gone: Compromised,
) -> None:
    signed_list(minisign_gone, known_list(minisign_gone), by_compromised=True)
    refused(minisign_gone, "KEY-5/paper-signer")


def test_a_list_without_any_signature_cannot_be_told(minisign_gone: Compromised) -> None:
    minisign_gone.listed.with_name(f"{minisign_gone.listed.name}.asc").unlink()
    refused(minisign_gone, "KEY-5/unsigned-paper", exit_code=5)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"project": "OTHER"}, "KEY-5/list-contradicts"),
        ({"releases": ()}, "KEY-5/not-endorsed"),
    ],
)
def test_a_list_of_other_facts_is_refused(
    minisign_gone: Compromised, fields: dict[str, Any], code: str
) -> None:
    keep(minisign_gone, ONLY_MINISIGN)
    signed_list(minisign_gone, msgspec.structs.replace(known_list(minisign_gone), **fields))
    refused(minisign_gone, code)


def test_a_list_with_another_last_day_or_for_another_key_is_refused(
    minisign_gone: Compromised,
) -> None:
    case, known = minisign_gone, known_list(minisign_gone)
    other_day = known.do_not_trust_after.replace(year=2020)
    signed_list(case, msgspec.structs.replace(known, do_not_trust_after=other_day))
    refused(case, "KEY-5/list-contradicts")
    of_other = tuple(msgspec.structs.replace(r, signed_by=(case.other,)) for r in known.releases)
    signed_list(case, msgspec.structs.replace(known, compromised=case.other, releases=of_other))
    refused(case, "KEY-5/paper-contradicts")
    for path in case.keys.glob("endorsement-*"):
        path.rename(path.with_name(path.name.replace(case.key_id, case.other)))
    refused(case, "KEY-5/paper-contradicts")


def test_a_list_of_a_rehearsal_is_refused(minisign_gone: Compromised, tmp_path: Path) -> None:
    with opened_later(keyed_vault(tmp_path / "practice", rehearsal=True)) as bench:
        practice = openpgp(bench)
        data = minisign_gone.listed.read_bytes()
        signature = bench.openpgp.sign_detached(data, practice, Secret(bytearray(PHRASES["gpg"])))
    minisign_gone.listed.with_name(f"{minisign_gone.listed.name}.asc").write_bytes(signature)
    refused(minisign_gone, "SIG-5/unknown-key")


def test_a_good_key_contradicted_by_the_list_is_refused(minisign_gone: Compromised) -> None:
    """The manifest is OpenPGP-signed; a list of good keys names another one for that version."""
    case, known = minisign_gone, known_list(minisign_gone)
    other = msgspec.structs.replace(known.releases[0], manifest_sha256="ab" * 32)
    signed_list(case, msgspec.structs.replace(known, releases=(other,)))
    refused(case, "KEY-5/other-content")


def test_both_keys_compromised_one_list_of_a_third_key_is_enough(
    minisign_gone: Compromised,
) -> None:
    case = minisign_gone
    with opened_later(case.vault) as bench:
        said = {**answers(bench, case.key_id), **secrets(new=PHRASES["minisign"])}
        run(bench, "key.rotate.minisign", said, reason="compromised")
        revoke(bench, case.other, endorse="2")
        run(bench, "key.publish", directory=str(case.keys))
        third = minisign(bench)
    data = verify(case).data
    assert data["signed_by"] == []
    assert data["endorsed_by"] == [f"minisign {third} (active)"]
    assert len(data["counts_for_nothing"]) == 2
    (case.keys / endorsement_name(case.key_id)).unlink()
    (case.keys / endorsement_name(case.other)).unlink()
    refused(case, "KEY-5/compromised")


def test_a_signature_left_over_by_a_key_compromised_since_does_no_harm(
    minisign_gone: Compromised,
) -> None:
    """The notice was published, changed, and then its first signer was compromised too."""
    case, name = minisign_gone, notice_name(minisign_gone.key_id)
    left_over = (case.keys / f"{name}.asc").read_bytes()
    with opened_later(case.vault) as bench:
        said = {**answers(bench, case.key_id), **secrets(new=PHRASES["minisign"])}
        run(bench, "key.rotate.minisign", said, reason="compromised")
        revoke(bench, case.other, endorse="2")
        run(bench, "key.publish", directory=str(case.keys))
        assert not (case.keys / f"{name}.asc").exists()
        # In a folder that another way of publishing left as it was.
        (case.keys / f"{name}.asc").write_bytes(left_over)
        assert verify(case).data["verdict"] == "good"
    # By a stranger it is refused all the same.
    (case.keys / f"{name}.asc").write_bytes(scratch_key(data=b"x").signature)
    refused(case, "SIG-5/unknown-key")


def test_a_rehearsed_compromise_is_good_as_a_rehearsal_only(tmp_path: Path) -> None:
    with opened_later(keyed_vault(tmp_path / "vault", rehearsal=True)) as bench:
        run(bench, "release.import", directory=str(downloads()))
        sign(bench)
        revoke(bench, minisign(bench))
        out = run(bench, "release.export", version=RELEASE, directory=str(tmp_path))
    folder = Path(out.data["folder"])
    request = VerifyRequest(directory=folder, keys=folder / "keys")
    with pytest.raises(SignerError) as refusal:
        verify_release(request, sources(), verifiers(), Progress())
    assert refusal.value.code == "FACE-5/rehearsal"
    practice = dataclasses.replace(request, accept_rehearsal=True)
    data = verify_release(practice, sources(), verifiers(), Progress()).data
    assert len(data["counts_for_nothing"]) == len(data["endorsed_by"]) == 1


# --- any changed byte ---------------------------------------------------------------------------


@given(data=st.data())
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_changed_byte_of_notice_list_or_signature_is_refused(data: st.DataObject) -> None:
    start, key_id, _ = _prepared(Algorithm.OPENPGP)
    files = {p.name: p.read_bytes() for p in (start / "keys").iterdir()}
    documents = (notice_name(key_id), endorsement_name(key_id))
    name = data.draw(st.sampled_from([n for d in documents for n in (d, f"{d}.minisig")]))
    whole = files[name]
    begins = whole.index(b"\n") + 1 if name.endswith(".minisig") else 0  # unsigned comment
    at = data.draw(st.integers(begins, len(whole) - 1))
    changed = bytearray(whole)
    changed[at] ^= data.draw(st.integers(1, 255))
    registry = parse_registry(files["registry.json"])
    with pytest.raises(SignerError) as error:
        verify_papers({**files, name: bytes(changed)}, registry, verifiers())
    assert error.value.exit_code == 4


@pytest.mark.parametrize("document", ["notice", "list"])
@pytest.mark.parametrize("where", [0.1, 0.5, 0.95])
def test_a_changed_openpgp_signature_of_a_paper_is_refused(
    minisign_gone: Compromised, document: str, where: float
) -> None:
    name = {"notice": notice_name, "list": endorsement_name}[document](minisign_gone.key_id)
    path = minisign_gone.keys / f"{name}.asc"
    data = bytearray(path.read_bytes())
    data[int(len(data) * where)] ^= 0x04
    path.write_bytes(data)
    refused(minisign_gone)


def test_the_registry_and_every_earlier_state_of_it_still_verify(
    minisign_gone: Compromised,
) -> None:
    states = sorted((minisign_gone.vault / "keys" / "registry").iterdir())
    assert len(states) > 1
    for state in states:
        verify_registry({path.name: path.read_bytes() for path in state.iterdir()}, verifiers())


def test_an_export_carries_the_papers_with_its_keys(
    minisign_gone: Compromised, tmp_path: Path
) -> None:
    (tmp_path / "stick").mkdir()
    with opened_later(minisign_gone.vault) as bench:
        folder = run(bench, "release.export", version=RELEASE, directory=str(tmp_path / "stick"))
        exported = Path(folder.data["folder"])
        data = run(bench, "verify", directory=str(exported), keys=str(exported / "keys")).data
    assert (exported / "keys" / notice_name(minisign_gone.key_id)).exists()
    assert data["endorsed_by"]
