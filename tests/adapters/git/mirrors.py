"""What tests ask of the mirror: its state, a refusal, a signed tag, and a trap for git."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pai_signer.adapters.git import GitMirror
from pai_signer.domain.tag import join_tag, tag_payload
from pai_signer.errors import SignerError
from tests.repository import StockSigner

AT = datetime(2026, 11, 23, 18, 41, 5, tzinfo=UTC)


def state_of(vault: Path) -> list[str]:
    """Every file of the mirror with its size: what a refusal must leave as it was."""
    repository = vault / "repo.git"
    return sorted(f"{p} {p.stat().st_size}" for p in repository.rglob("*") if p.is_file())


def refuse(mirror: GitMirror, vault: Path, bundle: Path, code: str) -> SignerError:
    """Take ``bundle``, which must be refused with ``code`` and change nothing."""
    mirror._git.make_if_missing()
    before = state_of(vault)
    with pytest.raises(SignerError) as caught:
        mirror.take_bundle(bundle)
    assert caught.value.code == code, caught.value
    assert caught.value.hint
    assert state_of(vault) == before
    return caught.value


def signed_tag(oid: str, signer: StockSigner, name: str = "v1.0.0") -> bytes:
    payload = tag_payload(
        target_oid=oid,
        name=name,
        tagger_name="Mia",
        tagger_email="mia@example.org",
        tagged_at=AT,
        message=f"PAI {name}",
    )
    return join_tag(payload, signer.sign(payload))


def booby_trap(repository: Path, canary: Path) -> None:
    """Make everything in a git folder touch ``canary`` as soon as git looks at it."""
    script = repository / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {canary}\n")
    script.chmod(0o755)
    hooks = repository / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("reference-transaction", "post-update", "pre-receive", "update", "post-checkout"):
        shutil.copy(script, hooks / hook)
    with (repository / "config").open("a") as config:
        config.write(
            f"[core]\n\tfsmonitor = {script}\n\tpager = {script}\n\thooksPath = {hooks}\n"
            f"\tsshCommand = {script}\n\talternateRefsCommand = {script}\n"
            f"[uploadpack]\n\tpackObjectsHook = {script}\n"
            f'[filter "x"]\n\tsmudge = {script}\n\tclean = {script}\n'
            f"[gpg]\n\tprogram = {script}\n"
        )
