"""Backup media as age, accident and malice leave them: none is ever reported as proved (CUS-2).

Every attempt ends in its own outcome, with its exit code, in the journal; and the medium
proves again as soon as it is what it was. A sample by default, ``PAI_FAULTS=all`` (``make
fault-test``) for a thousand flipped bytes of each kind.
"""

import base64
import os
import random
import secrets
import shutil
import tempfile
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

import msgspec
import pytest

from pai_signer.domain.backup import (
    FACTS_NAME,
    MINISIGN_KEY_NAME,
    OPENPGP_SECRET_NAME,
    SIGNATURE_NAMES,
    folder_name,
    parse_facts,
)
from pai_signer.domain.custody import BACKUP_FAILED, BACKUP_PROVED, FailedFacts, Outcome
from pai_signer.domain.minisig import parse_secret_key_header
from pai_signer.domain.openpgp_armor import checksum_line
from pai_signer.domain.registry import Algorithm, RegisteredKey
from pai_signer.errors import EXIT_REFUSED, SignerError
from pai_signer.workflows.custody.backup_files import Signers, signed_manifest
from tests.custody import EXIT_CODES
from tests.keys import WEAK_SCRYPT_LIMITS, weak_passphrase
from tests.workflows.backups import ANNA, BOB, Drawer, drawer, with_backups
from tests.workflows.bench import PHRASES
from tests.workflows.rotating import stock

ALL: Final = os.environ.get("PAI_FAULTS") == "all"
FLIPS: Final = 1_000 if ALL else 24
CUTS: Final = 200 if ALL else 8
#: Flipped bytes that only the proof itself can find; each takes some seconds.
KEY_FLIPS: Final = 400 if ALL else 4
PROCESSES: Final = 2
#: A new vault for each, so that no journal grows long.
BATCHES: Final = 20 if ALL else 2


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vault with two proved backups, Anna's and Bob's; to be copied."""
    return with_backups(tmp_path_factory.mktemp("prepared") / "drawer")


@dataclass(frozen=True)
class Verdict:
    """How a verification ended: what was proved, and the outcomes in the journal."""

    proved: frozenset[str]
    outcomes: frozenset[Outcome]
    said: str
    exit_code: int

    def is_only(self, outcome: Outcome) -> bool:
        """That outcome alone, its exit code, and nothing proved."""
        return (
            not self.proved and self.outcomes == {outcome} and self.exit_code == EXIT_CODES[outcome]
        )


def verify(made: Drawer, phrases: Mapping[str, bytes] = ANNA) -> Verdict:
    """Verify Anna's medium, with the right passphrases if nothing else is said."""
    made.stick("anna")
    before = len(made.bench.journal.entries())
    said, exit_code = "", 0
    try:
        made.verify("Anna", made.folder / "anna", phrases)
    except SignerError as error:
        said, exit_code = error.summary, error.exit_code
    since = made.bench.journal.entries()[before:]
    assert {entry.event for entry in since} <= {BACKUP_PROVED, BACKUP_FAILED}
    return Verdict(
        proved=frozenset(e.facts["key"]["id"] for e in since if e.event == BACKUP_PROVED),
        outcomes=frozenset(
            msgspec.convert(e.facts, FailedFacts).outcome for e in since if e.event == BACKUP_FAILED
        ),
        said=said,
        exit_code=exit_code,
    )


def copies(made: Drawer, stick: str = "anna") -> list[Path]:
    """The three folders of the newest set."""
    return sorted((made.folder / stick).iterdir())[-3:]


@contextmanager
def again(prepared: Path, to: Path) -> Iterator[Drawer]:
    """A copy of a prepared drawer, opened."""
    there = to / "drawer"
    shutil.copytree(prepared, there)
    with drawer(there, there / "vault") as made:
        for name in ("anna", "bob"):
            made.stick(name)
        yield made


# --- a thousand flipped bytes -----------------------------------------------------------------


def flips(folder: str, seed: int, count: int) -> tuple[Counter[str], list[str]]:
    """Flip ``count`` single bytes, one after the other; what was not found, with its seed."""
    chance, tally, wrong = random.Random(seed), Counter[str](), list[str]()
    with tempfile.TemporaryDirectory() as scratch, again(Path(folder), Path(scratch)) as made:
        for number in range(count):
            copy = chance.choice([*copies(made), None])
            name = chance.choice(sorted(path.name for path in copies(made)[0].iterdir()))
            hit = [copy] if copy else copies(made)
            data = (hit[0] / name).read_bytes()
            offset, change = chance.randrange(len(data)), chance.randrange(1, 256)
            spoilt = bytearray(data)
            spoilt[offset] ^= change
            for folder_hit in hit:
                (folder_hit / name).write_bytes(spoilt)
            verdict = verify(made)
            told = copy is None or f"copy {copy.name[-1]}: damaged; differs: {name}" in verdict.said
            tally["in one copy" if copy else "in all copies"] += 1
            if copy is None and is_comment(name, data, offset):
                tally["in a comment that nothing signs"] += 1
            elif not verdict.is_only(Outcome.DAMAGED) or not told:
                where = "all copies" if copy is None else copy.name
                wrong.append(
                    f"seed {seed}, flip {number}: {name}[{offset}] ^ {change:#x} in {where}: "
                    f"{verdict}"
                )
            for folder_hit in hit:
                (folder_hit / name).write_bytes(data)
        whole = verify(made)
        if len(whole.proved) != 2 or whole.outcomes:
            wrong.append(f"seed {seed}: restored, and not proved: {whole}")
    return tally, wrong


def is_comment(name: str, data: bytes, offset: int) -> bool:
    """minisign's untrusted comment says nothing and is signed by nothing (minisign(1))."""
    return name == SIGNATURE_NAMES[0] and offset < data.index(b"\n")


def in_batches(
    what: Callable[[str, int, int], tuple[Counter[str], list[str]]], prepared: Path, count: int
) -> Counter[str]:
    """Do ``what`` ``count`` times on copies of ``prepared``; every finding fails the test."""
    seeds, began = [secrets.randbits(64) for _ in range(BATCHES)], monotonic()
    with ProcessPoolExecutor(PROCESSES) as pool:
        done = list(pool.map(what, [str(prepared)] * BATCHES, seeds, [count // BATCHES] * BATCHES))
    tally = sum((tally for tally, _ in done), Counter[str]())
    print(f"{what.__name__}: {dict(tally)}; {monotonic() - began:.0f} s")
    assert [problem for _, wrong in done for problem in wrong] == []
    return tally


def test_no_flipped_byte_is_ever_proved(prepared: Path) -> None:
    tally = in_batches(flips, prepared, FLIPS)
    assert tally["in one copy"] + tally["in all copies"] == FLIPS


def cuts(folder: str, seed: int, count: int) -> tuple[Counter[str], list[str]]:
    """Cut files off, or let them grow, in one copy or in all."""
    chance, tally, wrong = random.Random(seed), Counter[str](), list[str]()
    with tempfile.TemporaryDirectory() as scratch, again(Path(folder), Path(scratch)) as made:
        for number in range(count):
            hit = chance.choice([[chance.choice(copies(made))], copies(made)])
            name = chance.choice(sorted(path.name for path in copies(made)[0].iterdir()))
            data = (hit[0] / name).read_bytes()
            length = chance.choice([0, len(data) - 1, chance.randrange(len(data)), len(data) + 1])
            for copy in hit:
                (copy / name).write_bytes((data + b"\0")[:length])
            verdict = verify(made)
            tally["cut off" if length < len(data) else "grown"] += 1
            if len(hit) == 3 and name in SIGNATURE_NAMES and length == len(data) - 1:
                tally["of a last line end, that says nothing"] += 1
            elif not verdict.is_only(Outcome.DAMAGED):
                wrong.append(f"seed {seed}, cut {number}: {name} to {length}: {verdict}")
            for copy in hit:
                (copy / name).write_bytes(data)
    return tally, wrong


def test_no_file_that_was_cut_off_or_grew_is_ever_proved(prepared: Path) -> None:
    tally = in_batches(cuts, prepared, CUTS)
    assert tally["cut off"] + tally["grown"] == CUTS


# --- what only the proof itself can find ------------------------------------------------------


def key_flips(folder: str, seed: int, count: int) -> tuple[Counter[str], list[str]]:
    """Flip a byte of a secret key before it is wrapped, listed and signed, in all copies.

    As if it had been damaged in the vault's memory: every digest and every signature agrees.
    """
    chance, tally, wrong = random.Random(seed), Counter[str](), list[str]()
    with tempfile.TemporaryDirectory() as scratch, again(Path(folder), Path(scratch)) as made:
        whole = {path.name: path.read_bytes() for path in copies(made)[0].iterdir()}
        for number in range(count):
            name = (MINISIGN_KEY_NAME, OPENPGP_SECRET_NAME)[number % 2]
            body = unwrapped(name, whole[name])
            offset, change = chance.randrange(len(body)), chance.randrange(1, 256)
            spoilt = bytearray(body)
            spoilt[offset] ^= change
            listed = {n: d for n, d in whole.items() if not n.startswith("MANIFEST")}
            listed[name] = wrapped(name, bytes(spoilt))
            for copy in copies(made):
                for file, data in signed(made, listed).items():
                    (copy / file).write_bytes(data)
            verdict = verify(made)
            key = made.bench.registry().signing_key(SYSTEMS[name])
            assert key is not None
            where = f"seed {seed}, flip {number}: {name}[{offset}] ^ {change:#x}: {verdict}"
            if key.id in verdict.proved:
                tally[f"{name}: restores all the same"] += 1
                if not restores(name, listed[name], key):
                    wrong.append(where)
            else:
                told = [o for o in OF_A_DAMAGED_KEY if verdict.outcomes == {o}]
                tally[f"{name}: {'; '.join(o.value for o in verdict.outcomes)}"] += 1
                if not told or verdict.exit_code != EXIT_CODES[told[0]]:
                    wrong.append(where)
    return tally, wrong


#: A reader without the right passphrase and one without the right bytes see the same: both
#: formats check the passphrase by what it opens. A flipped cost of hashing is a weaker one.
OF_A_DAMAGED_KEY: Final = {
    Outcome.DAMAGED,
    Outcome.WRONG_PASSPHRASE,
    Outcome.WRONG_KEY,
    Outcome.STALE,
}
SYSTEMS: Final = {
    MINISIGN_KEY_NAME: Algorithm.MINISIGN,
    OPENPGP_SECRET_NAME: Algorithm.OPENPGP,
}


def unwrapped(name: str, data: bytes) -> bytes:
    """The bytes inside base64 or armor."""
    lines = data.decode("ascii").splitlines()
    if name == MINISIGN_KEY_NAME:
        return base64.b64decode(lines[1])
    return base64.b64decode("".join(lines[lines.index("") + 1 : -2]))


def wrapped(name: str, body: bytes) -> bytes:
    """``body`` in a file like the stock tool's, with a right checksum."""
    text = base64.b64encode(body).decode("ascii")
    if name == MINISIGN_KEY_NAME:
        return f"untrusted comment: minisign encrypted secret key\n{text}\n".encode("ascii")
    kind = "PGP PRIVATE KEY BLOCK"
    rows = "\n".join(textwrap.wrap(text, 64))
    armored = f"-----BEGIN {kind}-----\n\n{rows}\n{checksum_line(body)}\n-----END {kind}-----\n"
    return armored.encode("ascii")


def signed(made: Drawer, listed: Mapping[str, bytes]) -> dict[str, bytes]:
    """``listed`` with the manifest and signatures that the workstation would make for it."""
    bench = made.bench
    minisign = bench.registry().signing_key(Algorithm.MINISIGN)
    assert minisign is not None
    unlocked = bench.minisign.unlock(minisign.public_key, weak_passphrase(PHRASES["minisign"]))
    facts = parse_facts(listed[FACTS_NAME])
    signers = Signers(unlocked, weak_passphrase(PHRASES["gpg"]))
    return {**listed, **signed_manifest(bench, facts, listed, signers)}


def restores(name: str, secret_key: bytes, key: RegisteredKey) -> bool:
    """Whether a key that was proved deserved it, flipped byte and all."""
    if name == OPENPGP_SECRET_NAME:
        return gpg_restores(secret_key, key)
    # libsodium rounds the limits to powers of two: a little more of them is the same hashing.
    return parse_secret_key_header(secret_key).limits.at_least(WEAK_SCRYPT_LIMITS)


def gpg_restores(secret_key: bytes, key: RegisteredKey) -> bool:
    """Whether stock gpg signs as the restore card says, and gpgv accepts it.

    The public certificate lies beside the export on the medium: what is damaged of the public
    part of an export comes from there. The import itself ends badly for a signature in that part
    that does not verify, and takes the secret key in all the same: what is asked is that it signs.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o700)
        (home / "secret").write_bytes(secret_key)
        (home / "phrase").write_bytes(ANNA["custodian-gpg"])
        (home / "registered").write_text(key.public_key)
        (home / "data").write_bytes(b"restored\n")
        gpg = f"gpg --homedir {home} --batch --pinentry-mode loopback --passphrase-file phrase"
        script = (
            f"{gpg} --import registered secret; {gpg} -u {key.id} --detach-sign data"
            " && gpg --dearmor < registered > ring.gpg && gpgv --keyring ./ring.gpg data.sig data"
        )
        try:
            return stock("/bin/sh", "-c", script, cwd=home)
        finally:
            stock("gpgconf", "--homedir", home, "--kill", "all")


def test_no_damaged_secret_key_is_ever_proved(prepared: Path) -> None:
    assert in_batches(key_flips, prepared, KEY_FLIPS).total() == KEY_FLIPS


# --- what people and accidents do --------------------------------------------------------------


Mischief = Callable[[Drawer], object]


def elsewhere(made: Drawer, copy: Path, name: str) -> None:
    """A link in the place of a file, to the very same bytes."""
    (copy / name).rename(made.folder / name)
    (copy / name).symlink_to(made.folder / name)


def pipe(copy: Path, name: str) -> None:
    (copy / name).unlink()
    os.mkfifo(copy / name)


def giant(copy: Path, name: str) -> None:
    with (copy / name).open("r+b") as file:
        file.truncate(1 << 40)


def delete(copies: Sequence[Path], *names: str) -> None:
    for copy in copies:
        for name in names:
            (copy / name).unlink()


def bobs_medium(made: Drawer) -> None:
    empty(made)
    shutil.copytree(made.folder / "bob", made.folder / "anna", dirs_exist_ok=True)


def bobs(made: Drawer, *names: str, into: Sequence[int] = (0, 1, 2)) -> None:
    """Files of Bob's set in the place of Anna's; all of them if none is named."""
    for index in into:
        source, copy = copies(made, "bob")[index], copies(made)[index]
        for name in names or [path.name for path in source.iterdir()]:
            shutil.copyfile(source / name, copy / name)


def bobs_copies(made: Drawer, letters: str) -> None:
    """Whole copies of Bob's set, under the names of Anna's."""
    for copy in copies(made):
        if copy.name[-1] in letters:
            shutil.rmtree(copy)
            shutil.copytree(copies(made, "bob")["abc".index(copy.name[-1])], copy)


def renumber(made: Drawer, number: int) -> None:
    for copy in copies(made):
        copy.rename(copy.with_name(folder_name("pai", number, copy.name[-1])))


def change_facts(made: Drawer, old: bytes, new: bytes) -> None:
    """What backup.json says, in all copies, against the manifest that was signed."""
    for copy in copies(made):
        data = (copy / FACTS_NAME).read_bytes()
        assert old in data
        (copy / FACTS_NAME).write_bytes(data.replace(old, new))


def fingerprint(made: Drawer) -> bytes:
    key = made.bench.registry().signing_key(Algorithm.OPENPGP)
    assert key is not None
    return key.id.encode()


def empty(made: Drawer) -> None:
    for copy in copies(made):
        shutil.rmtree(copy)


def pulled(made: Drawer) -> None:
    """As the kernel shows a stick that was pulled out: the mount point, and nothing in it."""
    empty(made)
    for rest in (made.folder / "anna").iterdir():
        rest.unlink()


def holiday(made: Drawer) -> None:
    empty(made)
    (made.folder / "anna" / "holiday.jpg").touch()


#: What was done to Anna's medium, and how its verification has to end.
MISCHIEF: Final[dict[str, tuple[Mischief, Outcome]]] = {
    "empty": (empty, Outcome.EMPTY),
    "pulled out": (pulled, Outcome.EMPTY),
    "only other things on it": (holiday, Outcome.EMPTY),
    "one copy gone": (lambda made: shutil.rmtree(copies(made)[1]), Outcome.DAMAGED),
    "one copy empty": (
        lambda made: delete([copies(made)[2]], *(path.name for path in copies(made)[2].iterdir())),
        Outcome.DAMAGED,
    ),
    "every key gone": (
        lambda made: delete(copies(made), MINISIGN_KEY_NAME),
        Outcome.DAMAGED,
    ),
    "a link to the same bytes": (
        lambda made: elsewhere(made, copies(made)[0], "minisign.key"),
        Outcome.DAMAGED,
    ),
    "a pipe": (lambda made: pipe(copies(made)[1], "gpg-secret.asc"), Outcome.DAMAGED),
    "a giant": (lambda made: giant(copies(made)[2], "journal.jsonl"), Outcome.DAMAGED),
    "unsigned": (
        lambda made: delete(copies(made), *SIGNATURE_NAMES),
        Outcome.DAMAGED,
    ),
    "Bob's medium": (bobs_medium, Outcome.OTHER_CUSTODIAN),
    "Bob's set under the number of Anna's": (
        lambda made: bobs_copies(made, "abc"),
        Outcome.STALE,
    ),
    "one copy of Bob's": (lambda made: bobs_copies(made, "b"), Outcome.STALE),
    "Bob's minisign key": (lambda made: bobs(made, "minisign.key"), Outcome.DAMAGED),
    "Bob's OpenPGP key in one copy": (
        lambda made: bobs(made, "gpg-secret.asc", into=(1,)),
        Outcome.DAMAGED,
    ),
    "Bob's manifest": (
        lambda made: bobs(made, "MANIFEST.txt", *SIGNATURE_NAMES),
        Outcome.DAMAGED,
    ),
    "facts of an unknown key": (
        lambda made: change_facts(made, fingerprint(made), fingerprint(made)[::-1]),
        Outcome.DAMAGED,
    ),
    "facts of another custodian": (
        lambda made: change_facts(made, b'"Anna"', b'"Eve"'),
        Outcome.DAMAGED,
    ),
    "under another number": (lambda made: renumber(made, 900), Outcome.STALE),
}


@pytest.mark.parametrize("what", MISCHIEF)
def test_each_mischief_ends_in_its_own_outcome(prepared: Path, tmp_path: Path, what: str) -> None:
    do, outcome = MISCHIEF[what]
    with again(prepared, tmp_path) as made:
        do(made)
        verdict = verify(made)
        assert verdict.is_only(outcome), verdict
        rules, now = made.bench.profile.custody, made.bench.clock.now()
        rows = [row for row in made.bench.ledger().rows if row.custodian == "Anna"]
        assert len(rows) == 2
        assert all(row.why_not(rules, now) for row in rows), "an earlier proof still counts"


@pytest.mark.parametrize(
    ("one", "other"),
    [("custodian", "custodian-gpg"), ("custodian-gpg", "custodian")],
)
def test_neither_bobs_passphrase_nor_the_other_keys_opens_annas(
    prepared: Path, tmp_path: Path, one: str, other: str
) -> None:
    with again(prepared, tmp_path) as made:
        for phrase in (BOB[one], ANNA[other], ANNA[one] + b" ", ANNA[one][:-1]):
            verdict = verify(made, phrases={**ANNA, one: phrase})
            assert verdict.outcomes == {Outcome.WRONG_PASSPHRASE}
            assert verdict.exit_code == EXIT_REFUSED
            assert len(verdict.proved) < 2


def test_a_mixture_of_two_sets_is_stale_and_either_alone_is_what_it_is(
    prepared: Path, tmp_path: Path
) -> None:
    """Anna's older and newer sets on one medium: copies exchanged, then the whole sets."""
    with again(prepared, tmp_path) as made:
        older = copies(made)
        made.create("Anna", made.stick("anna"))
        newer = copies(made)
        assert len(verify(made).proved) == 2

        exchange(older[1], newer[1])
        assert verify(made).is_only(Outcome.STALE)
        exchange(older[0], newer[0])
        exchange(older[2], newer[2])
        assert verify(made).is_only(Outcome.STALE)
        for copy in newer:
            shutil.rmtree(copy)
        assert verify(made).is_only(Outcome.STALE)


def exchange(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)
