"""When a key is in other hands: the notice, and the pack prepared before that day (KEY-5).

The notice holds nothing but what the registry says, so a published one is checked by
writing it again: ``check_notice``.
"""

import textwrap
from collections.abc import Collection
from typing import Final

from pai_signer.domain.endorsement import endorsement_name
from pai_signer.domain.openpgp import grouped_fingerprint
from pai_signer.domain.registry import Algorithm, KeyState, RegisteredKey, Registry
from pai_signer.errors import BadSignature, PolicyRefused

NOTICE_PREFIX: Final = "do-not-trust-"
NOTICE_SUFFIX: Final = ".txt"
WIDTH: Final = 76
_BLANK: Final = "_" * 38


def notice_name(key_id: str) -> str:
    """The notice's file name."""
    return f"{NOTICE_PREFIX}{key_id}{NOTICE_SUFFIX}"


def render_notice(registry: Registry, key_id: str) -> bytes:
    """The "do not trust after" notice; ``PolicyRefused`` if the key is not compromised."""
    key = registry.find(key_id)
    if key.life is not KeyState.COMPROMISED or key.do_not_trust_after is None:
        raise PolicyRefused(
            "KEY-5/not-compromised",
            f"The key {key.id} is not marked as compromised.",
            "A notice follows the registry: mark the key there first.",
        )
    successor = registry.find(key.superseded_by) if key.superseded_by else None
    after = f"{key.do_not_trust_after:%Y-%m-%d %H:%M} UTC"
    lines = [
        f"DO NOT TRUST THIS {_system(key).upper()} KEY",
        *(["REHEARSAL: practice material; this says nothing."] * _is_rehearsal(key)),
        "",
        f"Project:             {registry.project}",
        *_key_rows("Key:", key),
        f"Do not trust after:  {after}",
        f"Reason:              {textwrap.shorten(key.reason, 300)}",
        *(_key_rows("New key:", successor) if successor else ["New key:             none yet"]),
        "",
        *_paragraph(
            f"The key is compromised. It is known to have been ours alone until {after}. "
            "Whoever has it can put any date into a signature, so no signature made with it "
            "is to be trusted for the date that it bears."
        ),
        "",
        *_paragraph(
            f"Releases from before stay good only where {endorsement_name(key.id)}, signed "
            "with keys that are not compromised, names their checksums. pai-signer verify "
            "looks there."
        ),
        "",
        "What to do:",
        *_item("Remove this key wherever you pinned or imported it."),
        *_item("Get the keys folder of the project again; compare the new key with two sources."),
        *_item(f"Check what you downloaded against {endorsement_name(key.id)}."),
        "",
    ]
    return "\n".join(lines).encode()


def check_notice(data: bytes, registry: Registry, key_id: str) -> None:
    """Check that a published notice says what the registry says; ``BadSignature`` if not."""
    if data != render_notice(registry, key_id):
        raise BadSignature(
            "KEY-5/notice",
            f"{notice_name(key_id)} does not say what the registry says.",
            "Get the whole keys folder again.",
        )


def left_to_do(
    registry: Registry,
    key: RegisteredKey,
    *,
    list_signed_by: Collection[Algorithm],
    published: bool,
) -> tuple[str, ...]:
    """What remains after the compromise of ``key``, the most urgent first; empty if all is done.

    ``list_signed_by`` are the systems with which its list of endorsed releases was signed;
    ``published`` says whether the registry as it stands was published.
    """
    if key.life is not KeyState.COMPROMISED:
        return ()
    system = "minisign" if key.algorithm is Algorithm.MINISIGN else "gpg"
    duties = []
    if not published:
        duties.append("not published since: key publish DIR")
    if registry.signing_key(key.algorithm) is None:
        duties.append(f"no new key yet: key rotate {system} --reason compromised")
    elif key.algorithm not in list_signed_by:
        duties.append("its list of endorsed releases is not signed by the new key")
    return tuple(duties)


def render_drill_pack(registry: Registry) -> str:
    """The checklist for the day of a compromise, to print and keep with the materials.

    Its first part is filled in now, while nobody is in a hurry; the drill is to walk
    through the rest in a rehearsal.
    """
    keys = [key for a in Algorithm if (key := registry.signing_key(a)) is not None]
    lines = [
        f"{registry.project}: IF A SIGNING KEY IS COMPROMISED",
        *(["REHEARSAL: practice keys."] * any(map(_is_rehearsal, keys))),
        "",
        "FILL IN BEFORE ANY INCIDENT, AND AGAIN ONCE A YEAR",
        *(
            f"  {label:<36}{_BLANK}"
            for label in (
                "first maintainer, telephone",
                "second maintainer, telephone",
                "revocation certificates are kept",
                "backup media are kept",
                "who can edit the site and releases",
                "filled in on, by",
            )
        ),
        "",
        "THE KEYS IN USE",
    ]
    for key in keys:
        lines += [f"  {_system(key)}", f"    {_shown_id(key)}"]
        if key.algorithm is Algorithm.MINISIGN:
            lines.append(f"    {key.public_key}")
    lines += ["", "ON THE DAY"]
    for number, step in enumerate(_drill_steps(keys), 1):
        wrapped = textwrap.wrap(step, WIDTH - 9, break_on_hyphens=False, break_long_words=False)
        lines.append(f"  [ ] {number:>2}. {wrapped[0]}")
        lines += [f"          {row}" for row in wrapped[1:]]
    lines += [
        "",
        "WRITE DOWN",
        *(
            f"  {label:<36}{_BLANK}"
            for label in ("noticed on, by", "what happened", "ours alone until (UTC)")
        ),
        "",
    ]
    return "\n".join(lines)


def _drill_steps(keys: list[RegisteredKey]) -> list[str]:
    steps = [
        "Stop: publish nothing, sign nothing with the key. Call the other maintainer.",
        "Agree on the last moment at which the key was surely in nobody else's hands.",
        "Put a line on the security page now: which key, and that a notice follows.",
        "On the workstation: pai-signer journal verify. Compare its head in words with the "
        "last receipt and the paper.",
    ]
    for key in keys:
        steps.append(
            f"If it is the {_system(key)} key: pai-signer key revoke {key.id} --reason compromised"
        )
        if key.algorithm is Algorithm.OPENPGP:
            steps.append(
                "Publish the revoked certificate. The revocation certificate to take is the one "
                "for COMPROMISED: under any other reason old signatures stay good."
            )
    systems = " or ".join("minisign" if k.algorithm is Algorithm.MINISIGN else "gpg" for k in keys)
    return [
        *steps,
        f"New key: pai-signer key rotate {systems or 'minisign'} --reason compromised",
        "Back up the new key with two custodians, and prove both copies.",
        "Read the list of endorsed releases line by line against the published ones: what is "
        "on it stays good, and nothing else that the key signed.",
        "Publish: keys/public, the notice, the statement, the list, the site's values.",
        "On another machine, from a fresh clone: pai-signer verify for the newest and the "
        "oldest release.",
        "Within a week: write up what happened, and walk through this list again.",
    ]


def _key_rows(label: str, key: RegisteredKey) -> list[str]:
    rows = [f"{label:<21}{_shown_id(key)}"]
    if key.algorithm is Algorithm.MINISIGN:
        rows.append(f"{'':<21}{key.public_key}")
    return rows


def _shown_id(key: RegisteredKey) -> str:
    return grouped_fingerprint(key.id) if key.algorithm is Algorithm.OPENPGP else key.id


def _system(key: RegisteredKey) -> str:
    return "OpenPGP" if key.algorithm is Algorithm.OPENPGP else "minisign"


def _is_rehearsal(key: RegisteredKey) -> bool:
    return key.state is KeyState.REHEARSAL


def _paragraph(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_on_hyphens=False)


def _item(text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False
    )
