"""What a rotation leaves to publish, ready to paste (KEY-3, KEY-4). Pure text."""

import textwrap
from collections.abc import Mapping

from pai_signer.domain.endorsement import endorsement_name
from pai_signer.domain.openpgp import grouped_fingerprint
from pai_signer.domain.registry import (
    MINISIG_SUFFIX,
    OPENPGP_SUFFIX,
    REGISTRY_NAME,
    Algorithm,
    Registry,
)
from pai_signer.domain.transition import Transition


def render_release_note(t: Transition) -> str:
    """Markdown for the notes of the first release that the new key signs."""
    system = _system(t)
    if t.compromised:
        story = (
            f"The old {system} key is **compromised**. Do not trust anything that it signed, "
            f"unless `{endorsement_name(t.old.id)}` names it."
        )
    else:
        story = f"The old {system} key is retired. It stays published for older releases."
    return "\n".join(
        [
            f"## New {system} key",
            "",
            *_warning(t),
            *textwrap.wrap(
                f"From this release on, {t.project} is signed with a new {system} key. {story}", 76
            ),
            "",
            *_key_rows(t),
            "",
            f"Statement: `{t.name}`, signed by each key that it names (`keys/public/`).",
            "",
        ]
    )


def render_security_page(t: Transition) -> str:
    """Markdown for the project's security page."""
    state = "compromised, do not trust" if t.compromised else "retired, verifies old releases"
    checks = [
        f"minisign -Vm {t.name} -x {name} -p {_public_file(key_id)}"
        if name.endswith(MINISIG_SUFFIX)
        else f"gpgv --keyring ./gpg-{key_id}.gpg {name} {t.name}"
        for key_id, name in t.signatures.items()
    ]
    dearmored = [
        f"gpg --dearmor < gpg-{key_id}.asc > gpg-{key_id}.gpg"
        for key_id, name in t.signatures.items()
        if name.endswith(OPENPGP_SUFFIX)
    ]
    return "\n".join(
        [
            f"### {t.day.isoformat()}: new {_system(t)} key",
            "",
            *_warning(t),
            *_key_rows(t),
            f"- old key's state: {state}",
            f"- reason: {t.reason}",
            "",
            "To check the statement, in `keys/public/` of a clone of the repository:",
            "",
            "```sh",
            *dearmored,
            *checks,
            "```",
            "",
        ]
    )


def site_values(registry: Registry) -> Mapping[str, str]:
    """The values that the site and the repository hold, by where they go."""
    values = {}
    openpgp = registry.signing_key(Algorithm.OPENPGP)
    minisign = registry.signing_key(Algorithm.MINISIGN)
    if openpgp is not None:
        values["release.json gpgFingerprint"] = openpgp.id
        values["repository variable GPG_KEY_FINGERPRINT"] = openpgp.id
    if minisign is not None:
        values["pinned minisign public key"] = minisign.public_key
    return values


def render_site_values(registry: Registry) -> str:
    """The same as text, with the command that sets the variable."""
    values = site_values(registry)
    lines = ["Values for the site", ""]
    for place, value in values.items():
        lines += [place, f"  {value}"]
        if place.endswith("GPG_KEY_FINGERPRINT"):
            lines.append(f"  gh variable set GPG_KEY_FINGERPRINT --body {value}")
    return "\n".join([*lines, ""])


def repository_files(registry: Registry, t: Transition) -> tuple[str, ...]:
    """What to commit under ``keys/public/``, sorted: registry, keys, statement, signatures."""
    names = {REGISTRY_NAME, t.name, *t.signatures.values()}
    for algorithm, suffix in (
        (Algorithm.MINISIGN, MINISIG_SUFFIX),
        (Algorithm.OPENPGP, OPENPGP_SUFFIX),
    ):
        if registry.signing_key(algorithm) is not None:
            names.add(REGISTRY_NAME + suffix)
    if registry.signing_key(Algorithm.MINISIGN) is not None:
        names.add("minisign.pub")
    for key in (t.old, t.new):
        name = _public_file(key.id) if t.algorithm is Algorithm.MINISIGN else f"gpg-{key.id}.asc"
        names.add(name)
    return tuple(sorted(names))


def _system(t: Transition) -> str:
    return "minisign" if t.algorithm is Algorithm.MINISIGN else "OpenPGP"


def _public_file(key_id: str) -> str:
    return f"minisign-{key_id}.pub"


def _warning(t: Transition) -> list[str]:
    if not t.rehearsal:
        return []
    return ["**REHEARSAL: practice material. Do not publish any of this.**", ""]


def _key_rows(t: Transition) -> list[str]:
    rows = []
    for label, key in (("old", t.old), ("new", t.new)):
        if t.algorithm is Algorithm.MINISIGN:
            rows.append(f"- {label} key: `{key.id}`")
            rows.append(f"  `{key.public_key}`")
        else:
            rows.append(f"- {label} key: `{grouped_fingerprint(key.id)}`")
            rows.append(f"  {key.user_id}")
    return rows
