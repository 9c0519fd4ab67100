"""``UPLOAD.md``: the exact commands for the online machine (EXP-1). Pure text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pai_signer.domain.profile import Profile
from pai_signer.domain.registry import Algorithm, Registry

#: A keyring of this folder's own: the user's is neither asked nor changed.
_GPG: Final = "gpg --no-default-keyring --keyring ./release.kbx"


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
        "Run these commands in this folder, on the online machine. Each one that fails\n"
        "is a reason to stop. Nothing here is secret.\n"
    )
    parts.append(_verify_section(facts, profile, registry))
    if facts.bundle is not None:
        parts.append(_tag_section(facts))
    if facts.has_manifest:
        parts.append(_assets_section(facts, profile))
    parts.append(_site_section(registry))
    return "\n".join(parts)


def _verify_section(facts: UploadFacts, profile: Profile, registry: Registry) -> str:
    manifest = profile.artifacts.manifest
    lines = ["## 1. Verify first, with stock tools\n", "```sh"]
    minisign = registry.signing_key(Algorithm.MINISIGN)
    openpgp = registry.signing_key(Algorithm.OPENPGP)
    if facts.has_manifest:
        if minisign is not None:
            lines.append(f"minisign -Vm {manifest} -P {minisign.public_key}")
        if openpgp is not None:
            lines += [
                f"{_GPG} --import keys/gpg-{openpgp.id}.asc",
                f"{_GPG} --verify {manifest}.asc {manifest}",
            ]
        lines.append(f"# beside the downloaded files:  sha256sum --strict -c {manifest}")
    elif minisign is not None:
        lines.append(f"minisign -Vm receipt-tag.json -P {minisign.public_key}")
    lines += ["```", ""]
    return "\n".join(lines)


def _tag_section(facts: UploadFacts) -> str:
    return "\n".join(
        [
            "## 2. Push the tag\n",
            "In a clone of the project that has the commit:\n",
            "```sh",
            f"git cat-file -e {facts.commit}^{{commit}}",
            f"git fetch /path/to/this/folder/{facts.bundle} 'refs/tags/*:refs/tags/*'",
            f"git verify-tag {facts.version}",
            f"git push origin refs/tags/{facts.version}",
            "```",
            "",
        ]
    )


def _assets_section(facts: UploadFacts, profile: Profile) -> str:
    uploads = " ".join(name for name in facts.files if not name.endswith(".bundle"))
    lines = [
        "## 3. Upload the signatures\n",
        "```sh",
        f"gh release upload {facts.version} {uploads}",
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
    lines = ["## 4. Values for the site\n"]
    openpgp = registry.signing_key(Algorithm.OPENPGP)
    minisign = registry.signing_key(Algorithm.MINISIGN)
    if openpgp is not None:
        lines += [
            "```sh",
            f"gh variable set GPG_KEY_FINGERPRINT --body {openpgp.id}",
            "```",
            "",
            f'and in `release.json`: `"gpgFingerprint": "{openpgp.id}"`',
        ]
    if minisign is not None:
        lines.append(f"\nThe pinned minisign public key is `{minisign.public_key}`")
    lines.append("")
    return "\n".join(lines)
