"""Rotation of the minisign key: every release stays good, and nothing is made twice (KEY-3)."""

import shutil
from pathlib import Path
from typing import Final

import pytest

from pai_signer.adapters.practice import VERSION
from pai_signer.domain.ceremony import TRANSCRIPT_NAME, parse_transcript
from pai_signer.domain.registry import Algorithm, KeyState
from pai_signer.domain.transition import parse_transition
from pai_signer.errors import CannotTell, PolicyRefused, SignerError
from pai_signer.workflows.keys.rotation import (
    RELEASE_NOTE,
    REPOSITORY_FILES,
    SECURITY_PAGE,
    SITE_VALUES,
)
from pai_signer.workflows.keys.transition_statement import published_statements, verify_transition
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import (
    RELEASE,
    WHY,
    downloads,
    downloads_copy,
    events,
    opened,
    rename_release,
    run,
    secrets,
    sign,
    signed_vault,
)
from tests.workflows.rotating import MINISIGN, NEW_PHRASE, stock

LATER: Final = "0.3.0"
ROTATE: Final = MINISIGN.entry
active, rotate, key_files = MINISIGN.active, MINISIGN.rotate, MINISIGN.in_vault


@pytest.fixture
def rotated(keyed: Workbench) -> Workbench:
    rotate(keyed)
    return keyed


# --- releases before and after ----------------------------------------------------------------


def test_every_release_verifies_after_a_rotation_with_the_published_keys(
    tmp_path: Path, public: Path
) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    with opened(signed_vault(tmp_path / "vault")) as bench:
        run(bench, "release.export", version=RELEASE, directory=str(exports))
        old = active(bench)
        new = rotate(bench)["new"]
        later = rename_release(downloads_copy(tmp_path / "later"), LATER, b"later")
        run(bench, "release.import", directory=str(later), version=f"v{LATER}")
        answers = {"clock": "yes", "confirm": f"v{LATER}", **secrets(minisign=NEW_PHRASE)}
        given = {"waive.POL-7": WHY, "version": f"v{LATER}", "what": "manifest"}
        run(bench, "release.sign", answers, **given)
        run(bench, "release.export", version=f"v{LATER}", directory=str(exports))
        run(bench, "key.publish", directory=str(public))
        for version, signer, images in ((VERSION, old, downloads()), (LATER, new, later)):
            (folder,) = exports.glob(f"pai-v{version}*")
            for image in images.glob("*.iso"):
                shutil.copy2(image, folder)
            verdict = run(bench, "verify", directory=str(folder), keys=str(public)).data
            assert verdict["verdict"] == "good"
            assert any(signer in text for text in verdict["signed_by"])
            other = old if signer == new else new
            right, wrong = (public / f"minisign-{key}.pub" for key in (signer, other))
            manifest = folder / "SHA256SUMS"
            assert stock("minisign", "-V", "-m", manifest, "-p", right)
            assert not stock("minisign", "-V", "-m", manifest, "-p", wrong)
    assert (public / "minisign.pub").read_bytes() == right.read_bytes()


def test_the_old_passphrase_signs_no_release_any_more(rotated: Workbench) -> None:
    run(rotated, "release.import", directory=str(downloads()))
    with pytest.raises(PolicyRefused):
        sign(rotated)
    assert rotated.releases.staged(RELEASE) == {}


# --- what a rotation does -------------------------------------------------------------------------


def test_the_old_key_is_retired_and_its_file_stays(keyed: Workbench) -> None:
    old = active(keyed)
    data = rotate(keyed)
    registry = keyed.registry()
    assert active(keyed) == data["new"] != old
    assert registry.find(old).life is KeyState.RETIRED
    assert registry.find(old).reason == "scheduled rotation"
    assert key_files(keyed) == {old, data["new"]}
    assert events(keyed)[-2:] == ["key.rotated", "ceremony.ended"]
    facts = keyed.journal.entries()[-2].facts
    assert facts["command"] == "key rotate minisign --reason scheduled"
    assert (facts["old"], facts["new"]) == (old, data["new"])


def test_stock_tools_accept_the_published_statement_of_all_three_keys(
    keyed: Workbench, public: Path
) -> None:
    data = rotate(keyed)
    run(keyed, "key.publish", directory=str(public))
    text = (public / data["statement"]).read_bytes()
    signatures = parse_transition(text).signatures
    assert len(signatures) == 3
    for key_id, name in signatures.items():
        if name.endswith(".minisig"):
            key = public / f"minisign-{key_id}.pub"
            command = ("minisign", "-V", "-m", data["statement"], "-x", name, "-p", key)
            assert stock(*command, cwd=public)
        else:
            certificate = public / f"gpg-{key_id}.asc"
            assert stock("sqv", "--keyring", certificate, name, data["statement"], cwd=public)
    listed = data["texts"][REPOSITORY_FILES].split()
    # All that changed; the OpenPGP certificate is as it was published before.
    there = {f"keys/public/{path.name}" for path in public.iterdir()}
    assert set(listed) < there
    assert all("/gpg-" in name for name in there - set(listed))


def test_the_texts_to_paste_name_both_keys(keyed: Workbench) -> None:
    data = rotate(keyed)
    for name in (RELEASE_NOTE, SECURITY_PAGE):
        assert data["new"] in data["texts"][name]
        assert data["old"] in data["texts"][name]
    assert data["public_key"] in data["texts"][SITE_VALUES]
    stored = keyed.ceremonies.load(data["ceremony"])
    assert all(stored[name].decode() == text for name, text in data["texts"].items())


def test_no_passphrase_stands_in_anything_that_is_kept(rotated: Workbench) -> None:
    (ceremony,) = rotated.ceremonies.names()
    kept = b"".join(rotated.ceremonies.load(ceremony).values())
    for phrase in (NEW_PHRASE, *(secret.encode() for secret in ("weak minisign", "weak gpg"))):
        assert phrase not in kept
    transcript = parse_transcript(rotated.ceremonies.load(ceremony)[TRANSCRIPT_NAME])
    told = [step.answer for step in transcript.steps if step.id.startswith("passphrase")]
    assert told == ["(secret)"] * 3
    assert [s.id for s in transcript.steps if s.point_of_no_return] == ["rotate"]


def test_a_second_rotation_keeps_both_statements_published(
    rotated: Workbench, public: Path
) -> None:
    phrases = secrets(minisign=NEW_PHRASE, new=b"weak newest phrase")
    run(rotated, ROTATE, {"confirm": active(rotated), **phrases})
    run(rotated, "key.publish", directory=str(public))
    assert len(list(public.glob("transition-minisign-*.txt"))) == 2
    assert len(rotated.registry().of(Algorithm.MINISIGN)) == 3


# --- the statement's guards -------------------------------------------------------------------


def statement_of(bench: Workbench) -> tuple[str, dict[str, bytes]]:
    files = published_statements(bench, bench.registry())
    (name,) = [name for name in files if name.endswith(".txt")]
    return name, files


def test_a_statement_that_lost_a_signature_is_not_published(
    rotated: Workbench, public: Path
) -> None:
    name, files = statement_of(rotated)
    for lost in set(files) - {name}:
        left = {n: data for n, data in files.items() if n != lost}
        with pytest.raises(CannotTell):
            verify_transition(left, name, rotated.registry(), rotated.verifiers)
    (ceremony,) = rotated.ceremonies.names()
    rotated.ceremonies.save(ceremony, {name: files[name].replace(b"scheduled", b"schedules")})
    with pytest.raises(SignerError):
        run(rotated, "key.publish", directory=str(public))
    assert list(public.iterdir()) == []


def test_any_changed_byte_of_a_statement_or_its_signatures_is_noticed(rotated: Workbench) -> None:
    name, files = statement_of(rotated)
    for changed, data in files.items():
        for at in range(0, len(data), 37):
            broken = data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]
            if changed != name and (b"omment" in _line(data, at) or data[at] in b"\n\r"):
                continue  # an untrusted comment proves nothing; line ends are not signed
            if changed.endswith(".asc"):
                continue  # armor has bytes that mean nothing; gpg's own tests cover the rest
            with pytest.raises(SignerError):
                verify_transition(
                    {**files, changed: broken}, name, rotated.registry(), rotated.verifiers
                )


def _line(data: bytes, at: int) -> bytes:
    return data[data.rfind(b"\n", 0, at) + 1 : (data.find(b"\n", at) + 1) or len(data)]
