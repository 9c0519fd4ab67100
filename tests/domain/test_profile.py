"""The profile: every name and threshold, and what cannot be one."""

import pytest

from pai_signer.composition import built_in_profile
from pai_signer.domain.profile import MAX_PROFILE_BYTES, parse_profile
from pai_signer.errors import FormatError, UsageError

TOML = built_in_profile().decode()
PROFILE = parse_profile(built_in_profile())


def changed(old: str, new: str) -> bytes:
    assert TOML.count(old) == 1, old
    return TOML.replace(old, new).encode()


def test_the_built_in_profile_says_what_pai_does() -> None:
    assert PROFILE.project.name == "PAI"
    assert PROFILE.keys.minisign_rotation_days == 730
    assert (PROFILE.custody.custodians, PROFILE.custody.media) == (2, 2)
    assert PROFILE.upload.asset_limit_bytes == 2 << 30
    version = PROFILE.version_of("v1.2.3")
    assert PROFILE.tag_of(version) == "v1.2.3"
    assert PROFILE.tag_message_of(version) == "PAI v1.2.3"


@pytest.mark.parametrize("name", ["pai-1.2.3-amd64.iso", "pai-v1.2.3-amd64.iso"])
def test_both_spellings_of_a_file_name_are_known(name: str) -> None:
    found = PROFILE.release_of_name(name)
    assert found is not None
    assert (str(found[0]), found[1].architecture) == ("1.2.3", "amd64")


@pytest.mark.parametrize(
    "name",
    [
        "pai-1.2.3-riscv64.iso",
        "pai-1.2-amd64.iso",
        "PAI-1.2.3-amd64.iso",
        "pai-1.2.3-amd64.iso.sha256",
        "xpai-1.2.3-amd64.iso",
        "pai-1.2.3-amd64xiso",
        "pai-1.2.3-amd64.iso\n",
        "pai-vv1.2.3-amd64.iso",
    ],
)
def test_any_other_name_is_no_artifacts(name: str) -> None:
    assert PROFILE.release_of_name(name) is None


def test_a_prerelease_does_not_swallow_the_architecture() -> None:
    found = PROFILE.release_of_name("pai-1.2.3-rc.1-arm64.iso")
    assert found is not None
    assert (str(found[0]), found[1].architecture) == ("1.2.3-rc.1", "arm64")


@pytest.mark.parametrize("text", ["v1.2", "1.2.3.4", "vv1.2.3", "", "v"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        PROFILE.version_of(text)


BAD = {
    "no TOML": b"[project",
    "no UTF-8": b"\xff\xfe",
    "empty": b"",
    "too large": b"#" * (MAX_PROFILE_BYTES + 1),
    "unknown key": changed('branch = "main"', 'branch = "main"\nhook = "sh"'),
    "missing key": changed('tag = "v{version}"', ""),
    "slug with a path": changed('slug = "pai"', 'slug = "../pai"'),
    "slug empty": changed('slug = "pai"', 'slug = ""'),
    "tag without version": changed('tag = "v{version}"', 'tag = "latest"'),
    "tag with two versions": changed('tag = "v{version}"', 'tag = "{version}{version}"'),
    "tag with a path": changed('tag = "v{version}"', 'tag = "v/{version}"'),
    "message with a newline": changed('"PAI {tag}"', '"PAI\\n{tag}"'),
    "name with a control": changed('name = "PAI"', 'name = "P\\u001bAI"'),
    "name not ASCII": changed('name = "PAI"', 'name = "P\u00c4I"'),
    "manifest with a path": changed('"SHA256SUMS"', '"../SHA256SUMS"'),
    "manifest as a receipt": changed('"SHA256SUMS"', '"receipt.json"'),
    "manifest as a signature": changed('"SHA256SUMS"', '"SUMS.asc"'),
    "artifact without version": changed('"pai-{version}-arm64.iso"', '"pai-arm64.iso"'),
    "artifact with a path": changed('"pai-{version}-arm64.iso"', '"x/pai-{version}-arm64.iso"'),
    "artifact like a bundle": changed('"pai-{version}-arm64.iso"', '"pai-{version}.bundle"'),
    "artifact twice": changed('"pai-{version}-arm64.iso"', '"pai-{version}-amd64.iso"'),
    "rotation of zero days": changed("minisign_rotation_days = 730", "minisign_rotation_days = 0"),
    "negative grace": changed("rotation_grace_days = 90", "rotation_grace_days = -1"),
    "days in words": changed("rotation_grace_days = 90", 'rotation_grace_days = "many"'),
    "unknown kind of image": TOML.replace('image = "iso9660"', 'image = "exe"', 1).encode(),
}


@pytest.mark.parametrize("case", BAD)
def test_a_profile_that_makes_no_sense_is_refused(case: str) -> None:
    with pytest.raises(FormatError) as error:
        parse_profile(BAD[case])
    assert error.value.code == "PROFILE/format"
    assert error.value.hint
