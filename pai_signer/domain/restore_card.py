"""The restore card: how a backup is used in ten years, with stock tools alone (CUS-1).

Plain ASCII under 79 columns, so that it prints anywhere. Facts are indented by two spaces,
commands by four: they are meant to be typed as they stand, in one shell, from top to bottom,
and a test types them. The way without minisign is that of its documented format:
https://jedisct1.github.io/minisign/ ("Secret key format"), RFC 8410 for the PKCS #8 prefix.
"""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

from pai_signer.domain.backup import BackupFacts
from pai_signer.domain.custody import custodian_id
from pai_signer.domain.openpgp import grouped_fingerprint
from pai_signer.domain.registry import Algorithm, RegisteredKey

WIDTH: Final = 78
COMMAND_INDENT: Final = "    "

_COPY: Final = (
    "work=$(mktemp -d /dev/shm/restore.XXXXXX)",
    'cp ./* "$work" && cd "$work"',
    "chmod 600 ./*",
)
_GPG_HOME: Final = (
    'export GNUPGHOME="$work/gnupg"',
    'mkdir -m 700 "$GNUPGHOME"',
    "gpg --import gpg-public.asc",
)
_OPENSSL: Final = (
    "printf 'Passphrase of minisign.key: '; stty -echo",
    "IFS= read -r pass; stty echo",
    "tail -n 1 minisign.key | base64 -d > key.bin",
    "salt=$(od -An -v -tx1 -j 6 -N 32 key.bin | tr -d ' \\n')",
    'openssl kdf -keylen 104 -kdfopt pass:"$pass" -kdfopt hexsalt:$salt \\',
    "    -kdfopt n:1048576 -kdfopt r:8 -kdfopt p:1 \\",
    "    -kdfopt maxmem_bytes:1200000000 -binary -out stream.bin SCRYPT",
    "od -An -v -tu1 -w1 -j 54 key.bin > left.txt",
    "od -An -v -tu1 -w1 stream.bin > right.txt",
    "paste left.txt right.txt | while read -r a b",
    'do printf "\\\\$(printf %03o $((a ^ b)))"; done > plain.bin',
    "sum=$( (printf Ed; head -c 72 plain.bin) | b2sum -l 256 | cut -c -64)",
    "end=$(tail -c 32 plain.bin | od -An -v -tx1 | tr -d ' \\n')",
    '[ "$sum" = "$end" ] && echo RIGHT || echo WRONG passphrase or file',
    "(printf '\\060\\056\\002\\001\\000\\060\\005\\006\\003\\053\\145\\160'",
    "printf '\\004\\042\\004\\040'",
    "tail -c +9 plain.bin | head -c 32) > key.der",
    "openssl dgst -blake2b512 -binary -out digest.bin SHA256SUMS",
    "openssl pkeyutl -sign -rawin -inkey key.der -keyform DER \\",
    "    -in digest.bin -out signature.bin",
    "printf 'file:SHA256SUMS' > comment.txt",
    "cat signature.bin comment.txt > both.bin",
    "openssl pkeyutl -sign -rawin -inkey key.der -keyform DER \\",
    "    -in both.bin -out global.bin",
    "(echo 'untrusted comment: signed with openssl'",
    "(printf ED; head -c 8 plain.bin; cat signature.bin) | base64 -w 0; echo",
    "printf 'trusted comment: '; cat comment.txt; echo",
    "base64 -w 0 global.bin; echo) > SHA256SUMS.minisig",
)


def render_restore_card(
    facts: BackupFacts,
    keys: Sequence[RegisteredKey],
    *,
    signed_by: Sequence[RegisteredKey],
    revocations: bool,
    ask: Iterable[str],
) -> str:
    """The card of one set; ``keys`` are the registered (or coming) keys that it holds.

    ``signed_by`` are the active keys that sign its manifest: others than ``keys`` in a
    rotation. ``revocations``: whether ``revocations.gpg`` is there. ``ask`` are the names of
    whoever can help: the other custodians, the maintainer. ``ValueError`` if ``keys`` are
    others than those of ``facts``.
    """
    if {(k.algorithm, k.id) for k in keys} != {(k.algorithm, k.id) for k in facts.keys}:
        raise ValueError("the card would describe other keys than the backup holds")
    minisign, openpgp = _one(keys, Algorithm.MINISIGN), _one(keys, Algorithm.OPENPGP)
    sections = [
        _preparing(),
        _checking(openpgp, signed_by),
        *([_signing_with_minisign(minisign)] if minisign else []),
        *([_signing_with_gpg(openpgp)] if openpgp else []),
        *([_revoking(openpgp)] if openpgp and revocations else []),
        *([_without_minisign()] if minisign else []),
        _afterwards(openpgp),
    ]
    lines = [
        *_head(facts, minisign, openpgp, ask),
        *_files(facts, minisign, openpgp, revocations=revocations),
    ]
    for number, (title, *rest) in enumerate(sections, 1):
        lines += ["", f"{number}. {title}", *rest]
    return "".join(f"{line}\n" for line in lines)


def _one(keys: Sequence[RegisteredKey], algorithm: Algorithm) -> RegisteredKey | None:
    return next((key for key in keys if key.algorithm is algorithm), None)


def _head(
    facts: BackupFacts,
    minisign: RegisteredKey | None,
    openpgp: RegisteredKey | None,
    ask: Iterable[str],
) -> list[str]:
    names = [_ascii(name) for name in ask if custodian_id(name) != custodian_id(facts.custodian)]
    lines = [
        *_wrapped(f"{_ascii(facts.project)}: HOW TO RESTORE THE SIGNING KEYS FROM THIS BACKUP"),
        *(["REHEARSAL: practice keys; this backs up nothing."] * facts.rehearsal),
        "",
        f"  backup set   {facts.number}, of {facts.made_at:%Y-%m-%d} UTC",
        *_wrapped(_ascii(facts.custodian), "  custodian    "),
        *_wrapped(", ".join(names) or "nobody else was known", "  who to ask   "),
        "",
    ]
    if minisign:
        lines += [f"  minisign key {minisign.id}", f"  {minisign.public_key}", ""]
    if openpgp:
        lines += [
            "  OpenPGP key, by its fingerprint",
            f"  {grouped_fingerprint(openpgp.id)}",
            *_wrapped(_ascii(openpgp.user_id), "  "),
            "",
        ]
    return lines


def _files(
    facts: BackupFacts,
    minisign: RegisteredKey | None,
    openpgp: RegisteredKey | None,
    *,
    revocations: bool,
) -> list[str]:
    who = _ascii(facts.custodian)
    lines = ["WHICH PASSPHRASE OPENS WHICH FILE", ""]
    if minisign:
        lines += _wrapped(f"the minisign passphrase of {who}", "  minisign.key     ")
    if openpgp:
        lines += _wrapped(f"the OpenPGP passphrase of {who}", "  gpg-secret.asc   ")
    if openpgp and revocations:
        lines += _wrapped(f"the OpenPGP passphrase of {who}", "  revocations.gpg  ")
    return [
        *lines,
        "",
        *_wrapped(
            "They are not the passphrases of the workstation, nor those of another custodian. "
            "Nobody can replace them: if they are lost, ask the others for their backups. The "
            "three folders of this set hold the same files; if one is damaged, use another."
        ),
        "",
        "WHAT THIS CARD DOES NOT NEED",
        *_wrapped(
            "The program that wrote this backup. Where it is at hand, it is the shorter way: "
            "'pai-signer backup restore' takes this medium. What follows needs only what any "
            "Linux has or can install: coreutils, minisign 0.10 or newer, gpg 2.2 or newer; "
            "openssl 3 only where there is no minisign."
        ),
    ]


def _preparing() -> list[str]:
    return [
        "WORK ON A COPY, IN MEMORY, ON A MACHINE WITHOUT A NETWORK",
        "In a shell, in the folder that holds this card:",
        "",
        *_commands(_COPY),
        "",
        "Put the file to sign there as well; here it is called SHA256SUMS.",
    ]


def _checking(openpgp: RegisteredKey | None, signed_by: Sequence[RegisteredKey]) -> list[str]:
    commands = ["sha256sum -c MANIFEST.txt"]
    if signer := _one(signed_by, Algorithm.MINISIGN):
        commands += ["minisign -V -m MANIFEST.txt \\", f"    -P {signer.public_key}"]
    if openpgp:
        commands += _GPG_HOME
    gpg_signer = _one(signed_by, Algorithm.OPENPGP)
    if openpgp and gpg_signer and gpg_signer.id == openpgp.id:
        commands += ["gpg --verify MANIFEST.txt.asc MANIFEST.txt"]
    return [
        "IS THE COPY WHOLE, AND WHOSE IS IT?",
        "Every line of the first command has to say OK.",
        "",
        *_commands(commands),
        "",
        *_wrapped(
            "What checks this lies on the same medium, so compare the key with a source of "
            "your own: the project's published keys, or a fingerprint on paper. That gpg does "
            "not know the owner of the key is to be expected here; another fingerprint than "
            "above is not."
        ),
    ]


def _signing_with_minisign(key: RegisteredKey) -> list[str]:
    return [
        "SIGN WITH MINISIGN",
        *_wrapped("minisign asks for the passphrase, and needs 1 GiB of memory for some seconds."),
        "",
        *_commands(
            (
                "minisign -S -s minisign.key -m SHA256SUMS",
                "minisign -V -m SHA256SUMS \\",
                f"    -P {key.public_key}",
            )
        ),
    ]


def _signing_with_gpg(key: RegisteredKey) -> list[str]:
    return [
        "SIGN WITH GPG",
        *_wrapped(
            "gpg-public.asc is imported beside the secret key (it was, in 2): it carries the "
            "expiry of the day of this backup. If gpg says 'expired' or 'No secret key', "
            "import the project's newest public key as well, from its keys/public: an old "
            "backup does not know that its key was extended since."
        ),
        "",
        *_commands(
            (
                "gpg --import gpg-secret.asc",
                f"echo {key.id}:6: | \\",
                "    gpg --import-ownertrust",
                f"gpg --armor --local-user {key.id} \\",
                "    --detach-sign SHA256SUMS",
                "gpg --verify SHA256SUMS.asc SHA256SUMS",
            )
        ),
        "",
        *_wrapped(
            "The line with :6: says that this key is your own (ownertrust, which no backup "
            "carries); it only silences a warning. The same GNUPGHOME signs tags: git tag -s "
            "with -u and the fingerprint."
        ),
    ]


def _revoking(key: RegisteredKey) -> list[str]:
    return [
        "THE REVOCATION CERTIFICATES",
        *_wrapped(
            "For the day on which the key is in wrong hands, or lost by everybody. To look at "
            "them does nothing:"
        ),
        "",
        *_commands(
            (
                "gpg --output revocations.tar --decrypt revocations.gpg",
                "tar -xf revocations.tar",
                "gpg --list-packets compromised.asc",
                "gpg --list-packets superseded.asc",
            )
        ),
        "",
        *_wrapped(
            "compromised.asc makes every signature of the key invalid, whatever its date; "
            "superseded.asc only those after the certificate's own date. To use one, and ONE "
            "only: gpg --import it, then export the key with gpg --armor --export "
            f"{key.id} and publish that everywhere in place of the old one. There is no way back."
        ),
    ]


def _without_minisign() -> list[str]:
    return [
        "WITHOUT MINISIGN: THE SAME SIGNATURE WITH OPENSSL 3",
        *_wrapped(
            "minisign.key is scrypt and Ed25519 and nothing else. While openssl works, the "
            "list of processes shows the passphrase: use a machine that nobody else is on. "
            "Go on only if it says RIGHT."
        ),
        "",
        *_commands(_OPENSSL),
        "",
        "Any minisign verifies SHA256SUMS.minisig, with the public key above.",
    ]


def _afterwards(openpgp: RegisteredKey | None) -> list[str]:
    kill = ("gpgconf --kill all",) if openpgp else ()
    return [
        "AFTERWARDS",
        "Take the signatures out, then remove the copy from memory:",
        "",
        *_commands((*kill, 'cd / && rm -rf "$work"')),
        "",
        *_wrapped(
            "journal.jsonl is what the workstation did up to this backup, registry.json the "
            "public keys of that day, signed, and ceremonies.tar the transcripts and "
            "statements. A new workstation starts from them."
        ),
    ]


def _commands(commands: Iterable[str]) -> list[str]:
    return [COMMAND_INDENT + command for command in commands]


def _wrapped(text: str, first: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_on_hyphens=False,
    )


def _ascii(text: str) -> str:
    r"""Letters that a plain printer lacks, as ``\xNN`` and the like."""
    return text.encode("ascii", "backslashreplace").decode("ascii")
