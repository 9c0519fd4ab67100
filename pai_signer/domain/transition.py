"""Transition statements: one key takes the place of another, said in public (KEY-3, KEY-4).

A statement is plain ASCII text, signed by the old key, the new key and the key of the
other system; after a compromise the old key no longer counts and does not sign. It has
exactly one spelling for its facts, so that a published one can be parsed back and compared
with the registry: ``parse_transition`` takes only what ``render_transition`` writes.
"""

import re
import textwrap
from datetime import date
from typing import Final

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.endorsement import endorsement_name
from pai_signer.domain.openpgp import grouped_fingerprint, parse_fingerprint
from pai_signer.domain.registry import (
    MINISIG_SUFFIX,
    OPENPGP_SUFFIX,
    Algorithm,
    KeyState,
    RegisteredKey,
    Registry,
)
from pai_signer.domain.text import is_safe, safe_text
from pai_signer.errors import FormatError, UntrustedKey

MAX_TRANSITION_BYTES: Final = 16 << 10
WIDTH: Final = 76
_INDENT: Final = " " * 12
_HEADING: Final = "KEY TRANSITION STATEMENT"
_REHEARSAL: Final = "REHEARSAL: made with throwaway keys; this says nothing."


class TransitionKey(Record, frozen=True, kw_only=True):
    """One of the two keys, in full: trust compares ``public_key``, or the fingerprint ``id``."""

    id: str
    #: minisign's base64 line; empty for OpenPGP, where the fingerprint is the whole key.
    public_key: str = ""
    #: OpenPGP's user ID; empty for minisign.
    user_id: str = ""


class Transition(Record, frozen=True, kw_only=True):
    """The facts of a statement. ``other`` is the ID of the other system's key that signs too."""

    project: str
    algorithm: Algorithm
    day: date
    reason: str
    old: TransitionKey
    new: TransitionKey
    compromised: bool = False
    other: str = ""
    rehearsal: bool = False

    @property
    def name(self) -> str:
        """The statement's file name."""
        return f"transition-{self.algorithm.value}-{_in_names(self.new.id)}.txt"

    @property
    def signatures(self) -> dict[str, str]:
        """Name of the signature file by the ID of each key that has to sign."""
        mine, theirs = MINISIG_SUFFIX, OPENPGP_SUFFIX
        if self.algorithm is Algorithm.OPENPGP:
            mine, theirs = theirs, mine
        signers = [] if self.compromised else [(self.old.id, mine)]
        signers.append((self.new.id, mine))
        if self.other:
            signers.append((self.other, theirs))
        return {key_id: f"{self.name}.{_in_names(key_id)}{suffix}" for key_id, suffix in signers}


def transition_of(registry: Registry, new_id: str, day: date) -> Transition:
    """The statement about ``new_id`` and the key that it superseded, as ``registry`` has it.

    ``UntrustedKey`` if ``new_id`` is not registered or took nobody's place.
    """
    new = registry.find(new_id)
    if new.supersedes is None:
        raise _contradicts(f"{new.id} took no other key's place")
    old = registry.find(new.supersedes)
    others = [a for a in Algorithm if a is not new.algorithm]
    other = registry.signing_key(others[0])
    return Transition(
        project=registry.project,
        algorithm=new.algorithm,
        day=day,
        reason=" ".join(old.reason.split()),
        old=_key_of(old),
        new=_key_of(new),
        compromised=old.life is KeyState.COMPROMISED,
        other=other.id if other else "",
        rehearsal=new.state is KeyState.REHEARSAL,
    )


def check_transition(statement: Transition, registry: Registry) -> None:
    """Check that a published statement says what the registry says; ``UntrustedKey`` if not.

    The old key may have been found compromised since: then only the reason may differ.
    """
    known = transition_of(registry, statement.new.id, statement.day)
    later = known.compromised and not statement.compromised
    told = msgspec.structs.replace(
        statement,
        compromised=known.compromised,
        reason=known.reason if later else statement.reason,
        other=known.other,
    )
    if statement.compromised and not known.compromised:
        raise _contradicts(f"{statement.old.id} is not compromised")
    if told != known:
        raise _contradicts(f"it tells another story of {known.old.id} and {known.new.id}")
    if statement.other:
        witness = registry.find(statement.other)
        if witness.algorithm is statement.algorithm:
            raise _contradicts(f"{witness.id} is not a key of the other system")


def render_transition(t: Transition) -> bytes:
    """The statement as text; ``FormatError`` for facts that would not come back from it."""
    texts = (t.project, t.reason, t.old.user_id, t.new.user_id)
    for text in texts:
        if not is_safe(text) or " ".join(text.split()) != text or not text.isascii():
            raise _malformed("a text in it is not plain ASCII on one line")
    lines = [
        _HEADING,
        *([_REHEARSAL] if t.rehearsal else []),
        "",
        _field("Project", t.project),
        _field("System", t.algorithm.value),
        _field("Date", t.day.isoformat()),
        _field("Kind", "compromise" if t.compromised else "planned"),
        _field("Other key", t.other or "none"),
        *_wrapped_field("Reason", t.reason),
        "",
        "OLD KEY",
        *_key_lines(t.old, t.algorithm),
        "",
        "NEW KEY",
        *_key_lines(t.new, t.algorithm),
        "",
        *_advice(t),
        "",
        "SIGNED IN",
        *(f"  {name}" for name in t.signatures.values()),
        "",
    ]
    return "\n".join(lines).encode("ascii")


_PATTERN: Final = re.compile(
    rf"{_HEADING}\n(?P<rehearsal>{re.escape(_REHEARSAL)}\n)?\n"
    r"Project:    (?P<project>.+)\n"
    r"System:     (?P<system>minisign|openpgp)\n"
    r"Date:       (?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})\n"
    r"Kind:       (?P<kind>planned|compromise)\n"
    r"Other key:  (?:none|(?P<other>[0-9A-F]{1,40}))\n"
    r"Reason:     (?P<reason>.+(?:\n {12}.+)*)\n\n"
    r"OLD KEY\n(?P<old>(?:  .+\n)+)\n"
    r"NEW KEY\n(?P<new>(?:  .+\n)+)\n"
    r"(?:.*\n)*?SIGNED IN\n(?:  .+\n)+",
    re.ASCII,
)
_MINISIGN_KEY: Final = re.compile(r"  ID:         ([0-9A-F]{1,16})\n  Public key: (.+)\n")
_OPENPGP_KEY: Final = re.compile(r"  Fingerprint: ([0-9A-F ]+)\n  User ID:     (.*)\n")


def parse_transition(data: bytes) -> Transition:
    """Parse a statement; ``FormatError`` unless it is byte for byte one that we would write."""
    try:
        match = _PATTERN.fullmatch(data[: MAX_TRANSITION_BYTES + 1].decode("ascii"))
        if match is None:
            raise _malformed("a line is not as it should be")
        algorithm = Algorithm(match["system"])
        statement = Transition(
            project=match["project"],
            algorithm=algorithm,
            day=date.fromisoformat(match["day"]),
            reason=" ".join(line.strip() for line in match["reason"].split("\n")),
            old=_parsed_key(match["old"], algorithm),
            new=_parsed_key(match["new"], algorithm),
            compromised=match["kind"] == "compromise",
            other=match["other"] or "",
            rehearsal=match["rehearsal"] is not None,
        )
    except ValueError as error:
        raise _malformed("it is not ASCII, or its date is none") from error
    if render_transition(statement) != data:
        raise _malformed("it is not in the form that this program writes")
    return statement


def _parsed_key(text: str, algorithm: Algorithm) -> TransitionKey:
    if algorithm is Algorithm.MINISIGN and (match := _MINISIGN_KEY.fullmatch(text)):
        return TransitionKey(id=match[1], public_key=match[2])
    if algorithm is Algorithm.OPENPGP and (match := _OPENPGP_KEY.fullmatch(text)):
        return TransitionKey(id=parse_fingerprint(match[1]), user_id=match[2])
    raise _malformed("a key is not written in full")


def _in_names(key_id: str) -> str:
    """The last 16 digits, to keep file names short; the text holds the key in full."""
    return key_id[-16:]


def _key_of(key: RegisteredKey) -> TransitionKey:
    if key.algorithm is Algorithm.MINISIGN:
        return TransitionKey(id=key.id, public_key=key.public_key)
    # A user ID may hold letters that a plain text on a serial line cannot show.
    name = "".join(c if c.isascii() else f"\\u{ord(c):04x}" for c in key.user_id)
    return TransitionKey(id=key.id, user_id=name)


def _key_lines(key: TransitionKey, algorithm: Algorithm) -> list[str]:
    if algorithm is Algorithm.MINISIGN:
        return [f"  ID:         {key.id}", f"  Public key: {key.public_key}"]
    return [f"  Fingerprint: {grouped_fingerprint(key.id)}", f"  User ID:     {key.user_id}"]


def _advice(t: Transition) -> list[str]:
    new = f"From this date on, {t.project} is signed with the new key."
    if t.compromised:
        old = (
            "The old key is COMPROMISED: trust no signature made with it, whatever date it "
            "bears. Releases from before stay good only where the list "
            f"{endorsement_name(t.old.id)}, signed with the new key, names them."
        )
    else:
        old = "The old key is retired: it stays published, and signatures that it made stay good."
    if t.algorithm is Algorithm.MINISIGN:
        replace = "give minisign the new line above as its public key."
    else:
        replace = "import the new certificate, and compare all 40 digits of its fingerprint."
    check = (
        f"What to do: check the signatures named below, the old key's with the key that you "
        f"already have; then {replace}"
    )
    if t.compromised:
        check = (
            f"What to do: check the signatures named below with a key of the other system "
            f"that you already have; then {replace}"
        )
    paragraphs = (textwrap.wrap(text, WIDTH) for text in (new, old, check))
    return [line for paragraph in paragraphs for line in paragraph]


def _field(label: str, value: str) -> str:
    return f"{label + ':':<12}{value}"


def _wrapped_field(label: str, value: str) -> list[str]:
    rows = textwrap.wrap(value, WIDTH - len(_INDENT), break_on_hyphens=False) or [""]
    return [_field(label, rows[0]), *(f"{_INDENT}{row}" for row in rows[1:])]


def _malformed(why: str) -> FormatError:
    return FormatError(
        "KEY-3/statement",
        f"This is not a key transition statement: {why}.",
        "Get it again from the project's keys folder.",
    )


def _contradicts(why: str) -> UntrustedKey:
    return UntrustedKey(
        "KEY-3/contradicts-registry",
        f"The statement and the registry contradict each other: {safe_text(why, limit=300)}.",
        "Get the whole keys folder again, and compare it with another copy.",
    )
