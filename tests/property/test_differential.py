"""What this program accepts, the stock tools accept, and the other way round but for a closed list.

Real files are spoilt by the mutations of ``make fuzz`` and put before both judges:
``sha256sum -c --strict`` for manifests, ``minisign -V`` for signatures. ``PAI_FUZZ`` asks for
more inputs; each costs the start of a program.
"""

import hashlib
import os
import random
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from pai_signer.adapters.minisign_verify import CryptographyMinisignVerifier
from pai_signer.domain.manifest import parse_foreign_manifest, parse_manifest, render_manifest
from pai_signer.domain.minisig import parse_public_key_file, parse_signature
from pai_signer.errors import FormatError, SignerError
from tests.fuzzing.mutations import spoilt_bytes
from tests.fuzzing.shells import base64_line
from tests.registry_fuzz import real_key, signed

TRIES: Final = int(os.environ.get("PAI_FUZZ") or 400)
FILES: Final = {
    "pai-1.2.3-amd64.iso": b"amd64\n",
    "pai-1.2.3-arm64.iso": b"arm64\n",
    "README": b"read me\n",
}
DIGESTS: Final = {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}
MANIFEST: Final = render_manifest(DIGESTS)
MESSAGE: Final = b"what is released\n"


def stock_accepts(*command: str | Path, directory: Path) -> bool:
    done = subprocess.run(
        command,
        cwd=directory,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


# --- manifests ------------------------------------------------------------------------------

#: Every reason why we refuse a manifest that ``sha256sum -c --strict`` is content with. It
#: forgives another spelling of the same lines, and lists that are a part of ours; we sign and
#: take one spelling (SIG-1), so that two people never hold two files for one release.
STRICTER: Final[dict[str, Callable[[bytes], bool]]] = {
    "lines end in CR LF, or a stray CR ends a name": lambda data: b"\r" in data,
    "a digest has capitals": lambda data: any(
        line[:64] != line[:64].lower() for line in entries(data)
    ),
    "the binary marker": lambda data: any(line[64:66] == b" *" for line in entries(data)),
    "a comment": lambda data: any(line.startswith(b"#") for line in lines(data)),
    "a blank line": lambda data: b"" in lines(data),
    "no final newline": lambda data: not data.endswith(b"\n"),
    "lines not sorted by name": lambda data: names(data) != sorted(names(data)),
    "a name twice": lambda data: len(set(names(data))) < len(names(data)),
    "one space, a BSD line, or an indented one": lambda data: any(
        line[64:66] not in {b"  ", b" *"} for line in entries(data)
    ),
}


def lines(data: bytes) -> list[bytes]:
    return data.removesuffix(b"\n").split(b"\n")


def entries(data: bytes) -> list[bytes]:
    return [line for line in lines(data) if line and not line.startswith(b"#")]


def names(data: bytes) -> list[bytes]:
    return [line[66:] for line in entries(data)]


@pytest.fixture
def release(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


TOKENS: Final = (
    *(b"\r\n", b"\n", b"#", b" ", b"  ", b" *", b"\\", b"\t", b"\0", b"\xff", b"# x\n", b"./"),
    *(b"SHA256 (README) = ", b"A", b"f", b"0", MANIFEST, MANIFEST.splitlines(True)[0]),
    *(line.upper() for line in MANIFEST.splitlines(True)),
)


def spoilt_manifests(chance: random.Random) -> Iterator[bytes]:
    known = MANIFEST.splitlines(keepends=True)
    yield MANIFEST
    for line in known:  # each forgiveness by itself, so that the list below is all needed
        yield MANIFEST.replace(line, line[:64].upper() + line[64:])
        yield MANIFEST.replace(line, line.replace(b"  ", b" *"))
        yield MANIFEST.replace(line, line + line)
        yield MANIFEST.replace(line, b" " + line)
        yield MANIFEST.replace(line, b"# x\n" + line)
        yield line[:-1]
    yield b"".join(reversed(known))
    yield MANIFEST + b"\n"
    yield MANIFEST.replace(b"\n", b"\r\n")
    while True:
        yield spoilt_bytes(chance, MANIFEST, TOKENS, MANIFEST)


def test_a_manifest_that_we_accept_is_accepted_by_sha256sum(release: Path) -> None:
    """And each that only the tool accepts differs in one of the ways that are named."""
    tally: Counter[str] = Counter()
    manifests = spoilt_manifests(random.Random(1))
    for _ in range(TRIES):
        data = next(manifests)
        (release / "SHA256SUMS").write_bytes(data)
        stock = stock_accepts("sha256sum", "-c", "--strict", "SHA256SUMS", directory=release)
        try:
            ours = parse_manifest(data)
        except FormatError:
            if stock:
                reasons = [why for why, holds in STRICTER.items() if holds(data)]
                assert reasons, data
                tally["only the tool"] += 1
            continue
        # Well-formed says nothing of the files: that they are there and as listed is asked apart.
        agree = all(DIGESTS.get(name) == digest for name, digest in ours.items())
        assert stock == agree, data
        tally["both" if stock else "other files"] += 1
    assert min(tally[name] for name in ("both", "other files", "only the tool")) > 0, tally


@pytest.mark.parametrize("why", STRICTER)
def test_each_reason_of_the_list_is_needed(release: Path, why: str) -> None:
    """There is a manifest that differs in this alone, and that the tool accepts."""
    manifests = spoilt_manifests(random.Random(1))
    examples = [
        data
        for data in (next(manifests) for _ in range(24))
        if [reason for reason, holds in STRICTER.items() if holds(data)] == [why]
    ]
    assert examples
    for data in examples:
        (release / "SHA256SUMS").write_bytes(data)
        with pytest.raises(FormatError):
            parse_manifest(data)
    assert any(_stock_takes(release, data) for data in examples)


def _stock_takes(release: Path, data: bytes) -> bool:
    (release / "SHA256SUMS").write_bytes(data)
    return stock_accepts("sha256sum", "-c", "--strict", "SHA256SUMS", directory=release)


#: Forgiven by our lenient reader, and told to the person, where the tool refuses the line or
#: looks for another file: one whose name begins with a space, or ends with a CR.
READ_OTHERWISE: Final = (
    "lines end in CR LF",
    "a byte order mark was skipped",
    "digest and name are not two spaces apart",
    "lines that are no SHA-256 entry were skipped",
)


def test_what_is_read_of_somebody_elses_list_is_what_sha256sum_checks(release: Path) -> None:
    """The lenient reader: every digest that it finds, the tool finds, and takes for that file."""
    read = 0
    manifests = spoilt_manifests(random.Random(2))
    for _ in range(TRIES):
        data = next(manifests)
        try:
            found = parse_foreign_manifest(data)
        except FormatError:
            continue
        if any(kind in why for why in found.leniencies for kind in READ_OTHERWISE):
            continue
        if found.digests.keys() <= DIGESTS.keys():
            agree = all(DIGESTS[name] == digest for name, digest in found.digests.items())
            assert _stock_takes(release, data) == agree, data
            read += 1
    assert read > TRIES // 20


# --- signatures -----------------------------------------------------------------------------

#: Every reason why we refuse a signature file that ``minisign -V`` takes: it never looks at
#: the untrusted comment's bytes nor behind the fourth line, prints what it finds, and reads
#: base64 that has a second spelling.
FORGIVEN: Final = (
    "lines instead of 4",
    "a line does not start with",
    "characters that cannot be seen",
    "it is not text",
    "a comment is too long",
    "base64",
    "larger than",
)


def verdicts(folder: Path, data: bytes) -> tuple[bool, SignerError | None]:
    """The stock tool's, and ours."""
    (folder / "message.minisig").write_bytes(data)
    public = real_key(2).public_key
    command = ("minisign", "-V", "-q", "-H", "-P", public, "-m", "message")
    stock = stock_accepts(*command, directory=folder)
    digest = hashlib.blake2b(MESSAGE).digest()
    try:
        CryptographyMinisignVerifier().verify(data, digest, public)
    except SignerError as error:
        return stock, error
    return stock, None


def spoilt_signatures(chance: random.Random) -> Iterator[bytes]:
    good = signed(MESSAGE, 2)
    other = signed(b"other", 2) + signed(MESSAGE, 3)
    shells = (base64_line(1), base64_line(3))
    yield good
    yield good.removesuffix(b"\n")
    yield good + b"more\n"
    yield good.replace(b"signature from", b"\x1b[2J")
    yield good.replace(b"\n", b"\r\n")
    while True:
        if chance.random() < 0.5:
            yield spoilt_bytes(chance, good, (b"\r\n", b"\n", b"=", b"\xff", b" "), other)
        else:
            yield chance.choice(shells)(chance, good)


def test_a_signature_that_we_accept_is_accepted_by_minisign(tmp_path: Path) -> None:
    """And what only the tool accepts is refused for its form, for a reason that is named."""
    (tmp_path / "message").write_bytes(MESSAGE)
    tally: Counter[str] = Counter()
    signatures = spoilt_signatures(random.Random(3))
    for _ in range(TRIES):
        data = next(signatures)
        stock, error = verdicts(tmp_path, data)
        if error is None:
            assert stock, data
            tally["both"] += 1
        elif stock:
            assert isinstance(error, FormatError), (error, data)
            assert any(why in error.summary for why in FORGIVEN), (error, data)
            tally["only the tool"] += 1
        else:
            tally["neither"] += 1
    assert min(tally[name] for name in ("both", "only the tool", "neither")) > 0, tally


def test_what_the_tool_takes_has_our_signature_in_it(tmp_path: Path) -> None:
    """Where it is laxer, it is so about what nobody signed: the signed bytes are the same."""
    (tmp_path / "message").write_bytes(MESSAGE)
    good = parse_signature(signed(MESSAGE, 2))
    signatures = spoilt_signatures(random.Random(4))
    taken = 0
    for _ in range(TRIES):
        data = next(signatures)
        stock, _ = verdicts(tmp_path, data)
        if stock:
            taken += 1
            assert good.trusted_comment.encode() in data
    assert taken > 1


def test_a_public_key_that_we_accept_is_accepted_by_minisign(tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(MESSAGE)
    (tmp_path / "message.minisig").write_bytes(signed(MESSAGE, 2))
    key = real_key(2)
    good = f"untrusted comment: minisign public key {key.id}\n{key.public_key}\n".encode()
    chance, accepted = random.Random(5), 0
    for n in range(TRIES // 4):
        data = spoilt_bytes(chance, good, (b"\n", b"=", b"\r\n", b"\xff")) if n else good
        (tmp_path / "key.pub").write_bytes(data)
        command = ("minisign", "-V", "-q", "-p", "key.pub", "-m", "message")
        stock = stock_accepts(*command, directory=tmp_path)
        try:
            same = parse_public_key_file(data).line == key.public_key
        except FormatError:
            continue
        assert stock == same, data
        accepted += same
    assert accepted > 0
