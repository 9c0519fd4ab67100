"""``UPLOAD.md``: the exact commands for the online machine (EXP-1). Pure text."""

from collections.abc import Sequence
from dataclasses import dataclass

from pai_signer.domain.profile import Profile
from pai_signer.domain.receipt import TAG_RECEIPT_NAME
from pai_signer.domain.registry import Algorithm, Registry


@dataclass(frozen=True)
class UploadFacts:
    """What the guide is about; ``artifact_sizes`` are bytes by file name."""

    version: str
    files: Sequence[str]
    artifact_sizes: dict[str, int]
    commit: str | None
    bundle: str | None
    has_manifest: bool
    rehearsal: bool


def render_upload_guide(facts: UploadFacts, profile: Profile, registry: Registry) -> str:
    """The guide, as Markdown; the same facts give the same bytes."""
    parts = [f"# Upload {profile.project.name} {facts.version}\n"]
    if facts.rehearsal:
        parts.append("**REHEARSAL: practice material. Do not publish any of this.**\n")
    parts.append(
        "Run these commands in one shell, on the online machine. Each one that fails is a\n"
        "reason to stop. Nothing here is secret. Two paths are yours to fill in: this folder,\n"
        "and a clone of the project.\n"
    )
    sections = [_verify_section(facts, profile, registry)]
    if facts.bundle is not None:
        sections.append(_tag_section(facts))
    if facts.has_manifest:
        sections.append(_assets_section(facts, profile))
    sections.append(_site_section(registry))
    parts += [f"## {number}. {text}" for number, text in enumerate(sections, 1)]
    return "\n".join(parts)


def _verify_section(facts: UploadFacts, profile: Profile, registry: Registry) -> str:
    manifest = profile.artifacts.manifest
    signed = manifest if facts.has_manifest else TAG_RECEIPT_NAME
    # A keyring of its own: the user's is neither asked nor changed, and git uses it too.
    lines = [
        "Verify first, with stock tools\n",
        "```sh",
        "folder=/path/to/this/folder",
        "clone=/path/to/clone/of/the/project",
        'cd "$folder"',
        'export GNUPGHOME="$(mktemp -d)"',
    ]
    minisign = registry.signing_key(Algorithm.MINISIGN)
    openpgp = registry.signing_key(Algorithm.OPENPGP)
    if minisign is not None:
        lines.append(f"minisign -Vm {signed} -P {minisign.public_key}")
    if openpgp is not None:
        lines += [
            f"gpg --import keys/gpg-{openpgp.id}.asc",
            f"gpg --verify {signed}.asc {signed}",
        ]
    if facts.has_manifest:
        lines.append(f"# beside the downloaded files:  sha256sum --strict -c {manifest}")
    lines += ["```", ""]
    return "\n".join(lines)


def _tag_section(facts: UploadFacts) -> str:
    return "\n".join(
        [
            "Push the tag\n",
            "The clone has to have the commit; the first command asks.\n",
            "```sh",
            'cd "$clone"',
            f"git cat-file -e '{facts.commit}^{{commit}}'",
            f"git fetch \"$folder/{facts.bundle}\" 'refs/tags/*:refs/tags/*'",
            f"git verify-tag {facts.version}",
            f"git push origin refs/tags/{facts.version}",
            "```",
            "",
        ]
    )


def _assets_section(facts: UploadFacts, profile: Profile) -> str:
    uploads = [f'"$folder/{name}"' for name in facts.files if not name.endswith(".bundle")]
    lines = [
        "Upload the signatures\n",
        "```sh",
        'cd "$clone"',
        " \\\n  ".join((f"gh release upload {facts.version}", *uploads)),
        "```",
        "",
    ]
    limit = profile.upload.asset_limit_bytes
    for name, size_bytes in facts.artifact_sizes.items():
        if size_bytes >= limit:
            lines.append(
                f"WARNING: {name} has {size_bytes:,} bytes. One asset may have less than "
                f"{limit:,}; publish it elsewhere and link to it.\n"
            )
    return "\n".join(lines)


def _site_section(registry: Registry) -> str:
    lines = ["Values for the site\n"]
    openpgp = registry.signing_key(Algorithm.OPENPGP)
    minisign = registry.signing_key(Algorithm.MINISIGN)
    if openpgp is not None:
        lines += [
            "```sh",
            'cd "$clone"',
            f"gh variable set GPG_KEY_FINGERPRINT --body {openpgp.id}",
            "```",
            "",
            f'and in `release.json`: `"gpgFingerprint": "{openpgp.id}"`',
        ]
    if minisign is not None:
        lines.append(f"\nThe pinned minisign public key is `{minisign.public_key}`")
    lines.append("")
    return "\n".join(lines)
