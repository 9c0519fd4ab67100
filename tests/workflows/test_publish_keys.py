"""The published form of the registry only ever grows (KEY-2)."""

from pathlib import Path

import msgspec
import pytest

from pai_signer.composition import verifiers
from pai_signer.domain.openpgp_armor import parse_armored_signature
from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import KeyState, UnsignedRelease, check_key_files
from pai_signer.errors import MediumError, PolicyRefused, SignerError, UsageError
from pai_signer.workflows.verify.verify_registry import verify_registry
from pai_signer.workflows.workbench import Workbench
from tests.registries import minisign_key
from tests.workflows.bench import events, keyed_vault, run, secrets
from tests.workflows.compromise import minisign, opened_later, revoke

V010 = UnsignedRelease(version="v0.1.0", reason="published before there were keys")


def publish(bench: Workbench, to: Path) -> list[str]:
    return list(run(bench, "key.publish", directory=str(to)).data["files"])


def test_without_a_key_there_is_nothing_to_publish(empty: Workbench, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        publish(empty, tmp_path)
    assert error.value.code == "KEY-2/no-keys"


def test_what_is_published_verifies(keyed: Workbench, tmp_path: Path) -> None:
    folder = tmp_path / "public"
    folder.mkdir()
    names = publish(keyed, folder)
    assert {"registry.json", "registry.json.asc", "registry.json.minisig", "minisign.pub"} < set(
        names
    )
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(files) == set(names)
    assert verify_registry(files, verifiers()) == keyed.registry()
    assert events(keyed)[-1] == "key.published"
    assert b"SECRET" not in b"".join(files.values())


def test_publishing_again_changes_nothing(keyed: Workbench, tmp_path: Path) -> None:
    publish(keyed, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.json*")}
    publish(keyed, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.json*")} == before


def test_a_successor_takes_the_place_of_what_was_published(
    empty: Workbench, tmp_path: Path
) -> None:
    run(empty, "key.generate", secrets(), only="minisign")
    publish(empty, tmp_path)
    run(empty, "key.generate", secrets(), only="gpg")
    publish(empty, tmp_path)
    assert (tmp_path / "registry.json").read_bytes() == encode_record(empty.registry())


@pytest.mark.parametrize("how", ["lost key", "newer", "other project", "fork"])
def test_what_is_no_earlier_state_is_never_overwritten(
    keyed: Workbench, tmp_path: Path, how: str
) -> None:
    registry = keyed.registry()
    other = {
        "lost key": msgspec.structs.replace(
            registry,
            serial=registry.serial - 1,
            keys=(*registry.keys, minisign_key(7, KeyState.RETIRED)),
        ),
        "newer": msgspec.structs.replace(registry, serial=registry.serial + 1),
        "other project": msgspec.structs.replace(
            registry, serial=registry.serial - 1, project="OTHER"
        ),
        "fork": msgspec.structs.replace(registry, unsigned_releases=(V010,)),
    }[how]
    path = tmp_path / "registry.json"
    path.write_bytes(encode_record(other))
    with pytest.raises(PolicyRefused) as error:
        publish(keyed, tmp_path)
    assert error.value.code == "KEY-2/not-a-successor"
    assert path.read_bytes() == encode_record(other)
    assert not (tmp_path / "minisign.pub").exists()


@pytest.mark.parametrize("how", ["link", "twin", "another file"])
def test_what_is_not_our_own_is_never_written_over(
    keyed: Workbench, tmp_path: Path, how: str
) -> None:
    """A link or a twin would hide a newer registry; a stranger's key is no state of ours."""
    folder = tmp_path / "public"
    folder.mkdir()
    newer = msgspec.structs.replace(keyed.registry(), serial=keyed.registry().serial + 9)
    (tmp_path / "elsewhere").write_bytes(encode_record(newer))
    if how == "link":
        (folder / "registry.json").symlink_to(tmp_path / "elsewhere")
    elif how == "twin":
        (folder / "Registry.json").write_bytes(encode_record(newer))
    else:
        (folder / "minisign.pub").write_text("the key of another project\n")
    before = sorted((p.name, p.is_symlink(), p.read_bytes()) for p in folder.iterdir())
    with pytest.raises(PolicyRefused) as error:
        publish(keyed, folder)
    assert error.value.code == "KEY-2/in-the-way"
    assert sorted((p.name, p.is_symlink(), p.read_bytes()) for p in folder.iterdir()) == before


def test_the_key_of_a_system_out_of_use_does_not_stay_published(tmp_path: Path) -> None:
    """Stock tools would go on to trust ``minisign.pub``, and ``verify`` refuse the folder."""
    folder = tmp_path / "public"
    folder.mkdir()
    with opened_later(keyed_vault(tmp_path / "vault")) as bench:
        publish(bench, folder)
        assert (folder / "minisign.pub").exists()
        (folder / "README").write_text("not ours to remove")
        revoke(bench, minisign(bench))
        names = publish(bench, folder)
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        assert set(files) == {*names, "README"}
        assert not {"minisign.pub", "registry.json.minisig"} & set(files)
        check_key_files(verify_registry(files, verifiers()), files)


def test_a_registry_that_was_changed_in_the_vault_is_not_published(
    keyed: Workbench, tmp_path: Path
) -> None:
    newest = max((tmp_path / "vault" / "keys" / "registry").iterdir(), key=lambda p: p.name)
    path = newest / "registry.json"
    path.write_bytes(path.read_bytes().replace(b'"reason": ""', b'"reason": "x"'))
    (tmp_path / "out").mkdir()
    with pytest.raises(SignerError) as error:
        publish(keyed, tmp_path / "out")
    assert error.value.exit_code == 4
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_is_not_there_cannot_be_told(keyed: Workbench, tmp_path: Path) -> None:
    with pytest.raises(MediumError):
        publish(keyed, tmp_path / "nowhere")


def test_any_changed_byte_of_the_openpgp_signature_is_refused(keyed: Workbench) -> None:
    """All but two octets: gpg looks at the hash itself, not at its copy (RFC 4880, 5.2.3)."""
    files, name = keyed.registry_store.load(), "registry.json.asc"
    whole = files[name]
    packet = parse_armored_signature(whole)
    octet = 6 + int.from_bytes(packet[6:8], "big") + 2
    octet += 2 + int.from_bytes(packet[octet : octet + 2], "big")
    start = whole.index(b"\n\n") + 2
    sampled = set(range(0, len(whole), 7)) | set(range(len(whole) - 40, len(whole)))
    for at in sorted(sampled):
        changed = whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :]
        characters = len(whole[start:at].replace(b"\n", b""))
        if at >= start and octet - 3 < characters * 3 // 4 <= octet + 2:
            continue
        with pytest.raises(SignerError):
            verify_registry({**files, name: changed}, keyed.verifiers)
