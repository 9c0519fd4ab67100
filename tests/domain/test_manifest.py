"""Checksum files: our canonical form (SIG-1), and what is forgiven to others (IMP-4)."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from pai_signer.domain.manifest import (
    MAX_ENTRIES,
    MAX_MANIFEST_BYTES,
    parse_foreign_manifest,
    parse_manifest,
    render_manifest,
)
from pai_signer.errors import FormatError

A, B = "a" * 64, "b" * 64


def refused(data: bytes, *, only_name: str | None = None) -> str:
    with pytest.raises(FormatError) as caught:
        parse_foreign_manifest(data, only_name=only_name)
    assert caught.value.summary.isprintable()
    return caught.value.code.removeprefix("IMP-4/manifest-")


# --- our own ------------------------------------------------------------------------------


def test_the_canonical_form_is_sorted_and_exact() -> None:
    assert render_manifest({"b.iso": B, "a.iso": A}) == f"{A}  a.iso\n{B}  b.iso\n".encode()


def test_sha256sum_accepts_what_we_write(tmp_path: Path) -> None:
    digests = {}
    for name in ("pai-0.2.0-arm64.iso", "pai-0.2.0-amd64.iso", "Z", "a+b"):
        (tmp_path / name).write_text(name)
        digests[name] = hashlib.sha256(name.encode()).hexdigest()
    (tmp_path / "SHA256SUMS").write_bytes(render_manifest(digests))
    done = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=tmp_path, check=True, capture_output=True
    )
    assert done.stdout.count(b": OK\n") == 4


@pytest.mark.parametrize(
    "digests",
    [
        {},
        {"a": A.upper()},
        {"a": "a" * 63},
        {"../a": A},
        {"-a": A},
        {"a\nb": A},
        {"a": A, "A": B},
        {f"f{i}": A for i in range(MAX_ENTRIES + 1)},
    ],
)
def test_what_cannot_be_canonical_is_not_written(digests: dict[str, str]) -> None:
    with pytest.raises(FormatError):
        render_manifest(digests)


def test_strict_reading_gives_back_what_was_written() -> None:
    digests = {"a.iso": A, "b.iso": B}
    assert parse_manifest(render_manifest(digests)) == digests


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        f"{A}  a".encode(),
        f"{A}  a\r\n".encode(),
        f"{A} *a\n".encode(),
        f"{A} a\n".encode(),
        f"{A.upper()}  a\n".encode(),
        f"{B}  b\n{A}  a\n".encode(),
        f"{A}  a\n{A}  a\n".encode(),
        f"{A}  a\n\n".encode(),
        f"# x\n{A}  a\n".encode(),
        f"{A}  ../a\n".encode(),
        f"{A}  a\n{B}  A\n".encode(),
        f"{A}  \xff\n".encode("latin-1"),
        f"{A}  a\n".encode() * 20000,
    ],
)
def test_strict_reading_forgives_nothing(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        parse_manifest(data)
    assert caught.value.code == "SIG-1/not-canonical"


# --- other people's -----------------------------------------------------------------------


def test_a_canonical_file_needs_no_leniency() -> None:
    found = parse_foreign_manifest(render_manifest({"a": A, "b": B}))
    assert found.digests == {"a": A, "b": B}
    assert found.leniencies == ()


@pytest.mark.parametrize(
    ("data", "leniency"),
    [
        (f"{A}  a\r\n", "lines end in CR LF (line 1)"),
        (f"{A.upper()}  a\n", "digests are in upper case (line 1)"),
        (f"{A} *a\n", "names carry the binary marker '*' (line 1)"),
        (f"{A} a\n", "digest and name are not two spaces apart (line 1)"),
        (f"{A}    a\n", "digest and name are not two spaces apart (line 1)"),
        (f"SHA256 (a) = {A}\n", "lines are in BSD form (line 1)"),
        (f"SHA256 (a) = {A}\nx\n", "lines that are no SHA-256 entry were skipped (line 2)"),
        (f"{A}  a", "the last line has no newline (line 1)"),
        (f"\ufeff{A}  a\n", "a byte order mark was skipped (line 1)"),
        (f"\n{A}  a\n", "blank lines were skipped (line 1)"),
        (f"# made by CI\n{A}  a\n", "comments were skipped (line 1)"),
        (f"  {A}  a\n", "lines are indented (line 1)"),
        (f"{A}  a\n{A}  a\n", "names are listed twice with the same digest (line 2)"),
        (f"{A}  a\n{'c' * 128}  a\n", "lines that are no SHA-256 entry were skipped (line 2)"),
        (f"{A}  a\n" + "junk\n" * 9, "were skipped (lines 2, 3, 4 and 6 more)"),
    ],
)
def test_each_leniency_is_reported(data: str, leniency: str) -> None:
    found = parse_foreign_manifest(data.encode())
    assert found.digests == {"a": A}
    assert any(leniency in line for line in found.leniencies)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (f"{A}  dir/a\n", "name"),
        (f"{A}  ../a\n", "name"),
        (f"{A}  -a\n", "name"),
        (f"SHA256 (../a) = {A}\n", "name"),
        (f"{A}  a\x1b[2J\n", "control"),
        (f"{A}  a\tb\n", "control"),
        (f"{A}  a\rb\n", "control"),
        (f"{A}  a\x00\n", "control"),
        (f"\\{A}  a\\nb\n", "escaped"),
        (f"{A}  a\n{B}  a\n", "conflict"),
        (f"{A}  a\n{B}  A\n", "twins"),
        (f"{A}  a\n{A}  A\n", "twins"),
        ("", "empty"),
        ("# nothing\n", "empty"),
        (f"{A}\n", "empty"),
        ("".join(f"{A}  f{i}\n" for i in range(MAX_ENTRIES + 1)), "too-many"),
    ],
)
def test_what_could_change_the_meaning_is_refused(data: str, code: str) -> None:
    assert refused(data.encode()) == code


def test_a_hundred_megabytes_are_refused_unread() -> None:
    assert refused(bytes(100 << 20)) == "too-large"
    assert refused(b"x" * (MAX_MANIFEST_BYTES + 1)) == "too-large"


def test_a_side_file_may_hold_a_bare_digest() -> None:
    found = parse_foreign_manifest(f"{A.upper()}\n".encode(), only_name="pai.iso")
    assert found.digests == {"pai.iso": A}
    assert found.leniencies[0] == "a bare digest names no file (line 1)"


def test_a_side_file_speaks_of_its_own_file_only() -> None:
    both = parse_foreign_manifest(f"{A}  pai.iso\n".encode(), only_name="pai.iso")
    assert both.digests == {"pai.iso": A}
    assert refused(f"{A}  other.iso\n".encode(), only_name="pai.iso") == "other-file"
    assert refused(f"{A}\n{B}\n".encode(), only_name="pai.iso") == "empty"
