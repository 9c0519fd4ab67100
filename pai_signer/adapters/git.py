"""The workstation's own bare mirror: what is tagged, and the tag itself (IMP-6, SIG-4).

Names in it: ``refs/import/`` holds what the last bundle brought (HEAD, heads,
tags); ``refs/tags/`` holds only tags that were signed here.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pai_signer.adapters.git_command import Git, checked_object_id
from pai_signer.adapters.git_import import IMPORTED, take_bundle
from pai_signer.domain.artifact import Commit
from pai_signer.domain.bundle_header import is_branch_name
from pai_signer.domain.tag import check_tag, check_tag_name, object_id, parse_tag
from pai_signer.domain.tag_bundle import parse_tag_bundle, with_prerequisite
from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError, PolicyRefused, ToolError, UsageError

#: How much of the log the review page shows at most.
MAX_LOG_LINES: Final = 200

_NO_OBJECT: Final = "0" * 40
_HEX_REVISION: Final = re.compile(r"[0-9a-f]{7,40}")


class GitMirror:
    """``ports.TagStore`` over ``repo.git`` in the vault; made at the first bundle."""

    def __init__(self, vault: Path) -> None:
        self._git = Git(vault.absolute() / "repo.git")

    def take_bundle(self, bundle: Path) -> None:
        """Let a bundle replace what the last one brought; see ``git_import.take_bundle``."""
        take_bundle(self._git, bundle)

    # --- look -------------------------------------------------------------------------

    def find_commit(self, revision: str | None, branch: str) -> str:
        """Object ID of ``revision``, else of the last bundle's HEAD, else of ``branch`` in it.

        ``revision`` is 7 to 40 hex digits or the name of an imported branch, nothing
        that git would compute. Raises ``UsageError`` for anything else, and
        ``PolicyRefused`` if it is unknown or not a commit (POL-5).
        """
        refs = self._git.refs(IMPORTED)
        if not refs:
            raise PolicyRefused(
                "IMP-6/no-bundle",
                "No git bundle was imported yet.",
                "Import a folder with a bundle: git bundle create release.bundle HEAD main",
            )
        oid = self._resolve(revision, refs) if revision is not None else None
        if revision is None:
            oid = refs.get(f"{IMPORTED}HEAD") or refs.get(f"{IMPORTED}heads/{branch}")
        if oid is None:
            wanted = safe_text(revision if revision is not None else f"HEAD or {branch}", limit=120)
            raise PolicyRefused(
                "IMP-6/unknown-commit",
                f"The last bundle does not bring {wanted}.",
                "Give --commit with a commit ID or a branch that the bundle holds.",
            )
        kind = self._git.kind(oid)
        if kind != "commit":
            raise PolicyRefused(
                "POL-5/not-a-commit",
                f"{oid} is a {kind}, not a commit.",
                "A release tag points at a commit: give that commit with --commit.",
            )
        containing = self._git.run("for-each-ref", "--count=1", f"--contains={oid}", IMPORTED)
        if not containing.stdout:
            raise PolicyRefused(
                "IMP-6/unknown-commit",
                f"Commit {oid} is on no branch of the last bundle.",
                "Import a bundle whose branch holds it.",
            )
        return oid

    def _resolve(self, revision: str, refs: Mapping[str, str]) -> str | None:
        if _HEX_REVISION.fullmatch(revision.lower()):
            answer = self._git.run("cat-file", "--batch-check", stdin=revision.lower().encode())
            oid, _, kind = answer.stdout.decode().strip().partition(" ")
            if kind == "ambiguous":
                raise UsageError(
                    "IMP-6/ambiguous",
                    f"{oid} is the beginning of several object IDs.",
                    "Give more digits, best all 40.",
                )
            if kind != "missing":
                return oid
        if not is_branch_name(revision):
            raise UsageError(
                "IMP-6/revision",
                f"{safe_text(revision, limit=120)!r} is neither a commit ID nor a branch name.",
                "Give 7 to 40 hex digits of a commit ID, or the plain name of a branch.",
            )
        return refs.get(f"{IMPORTED}heads/{revision}")

    def describe_commit(self, oid: str, tag_name: str, previous_oid: str | None) -> Commit:
        """What the review page shows; all text is sanitised and bounded here (SEC-3).

        A ``previous_oid`` that the mirror does not have cannot be an ancestor, since
        every imported history is complete.
        """
        check_tag_name(tag_name)
        line = self._log(oid, "--max-count=1", "--format=%an <%ae>%x00%ct%x00%s")[0]
        author, seconds, subject = line.split("\0", 2)
        knows_previous = previous_oid is not None and self._git.kind(previous_oid) == "commit"
        since = [f"^{previous_oid}"] if knows_previous else []
        log = self._log(oid, *since, f"--max-count={MAX_LOG_LINES + 1}", "--format=%h %s")
        return Commit(
            oid=oid,
            author=safe_text(author, limit=200),
            committed_at=_time_text(seconds),
            subject=safe_text(subject, limit=500),
            log=tuple(safe_text(entry, limit=200) for entry in log[:MAX_LOG_LINES]),
            log_is_cut=len(log) > MAX_LOG_LINES,
            previous_oid=previous_oid,
            descends_from_previous=previous_oid is None
            or (knows_previous and self._is_ancestor(previous_oid, oid)),
            existing_tag_oid=self._existing_tag(tag_name),
        )

    def _log(self, oid: str, *arguments: str) -> list[str]:
        plain = ("--no-color", "--no-decorate", "--no-notes", "--no-mailmap")
        output = self._git.run("log", *plain, *arguments, checked_object_id(oid), "--").stdout
        return output.decode("utf-8", "surrogateescape").split("\n")[:-1]

    def _is_ancestor(self, previous_oid: str | None, oid: str) -> bool:
        arguments = ("merge-base", "--is-ancestor", str(previous_oid), oid)
        return self._git.run(*arguments, accepted_codes=(0, 1)).exit_code == 0

    def _existing_tag(self, tag_name: str) -> str | None:
        # A tag that somebody else made and the bundle brings takes the name just as well.
        ours = self._git.refs(f"refs/tags/{tag_name}").get(f"refs/tags/{tag_name}")
        imported = f"{IMPORTED}tags/{tag_name}"
        return ours or self._git.refs(imported).get(imported)

    # --- sign and carry out -----------------------------------------------------------

    def write_tag(self, tag_object: bytes, tag_name: str) -> str:
        """Write a signed tag and its ref, create-only; the same tag again is fine.

        Raises ``FormatError`` if the object is not a tag of that name (SIG-4), and
        ``PolicyRefused`` if the name is taken by another object (POL-5).
        """
        tag = parse_tag(tag_object)
        check_tag(tag, name=tag_name, target_oid=tag.target_oid)
        kind = self._git.kind(tag.target_oid)
        if kind != "commit":
            raise PolicyRefused(
                "POL-5/not-a-commit",
                f"The tag's target {tag.target_oid} is {kind or 'not in the mirror'}.",
                "Import the bundle that brings the commit.",
            )
        ref = f"refs/tags/{tag_name}"
        oid = object_id("tag", tag_object)
        standing = self._git.refs(ref).get(ref)
        if standing == oid:
            return oid
        if standing is not None:
            raise PolicyRefused(
                "POL-5/tag-taken",
                f"The tag {tag_name} is already there, with another content ({standing}).",
                "A published tag is never replaced. Use the next version.",
            )
        written = self._git.run("mktag", stdin=tag_object).stdout.decode().strip()
        if written != oid:
            raise ToolError(
                "SIG-4/mktag",
                f"git stored the tag as {safe_text(written, limit=50)}, not as {oid}.",
                "Do not use this workstation's git; check its installation.",
            )
        self._git.run("update-ref", ref, oid, _NO_OBJECT)
        return oid

    def bundle_tag(self, tag_name: str) -> bytes:
        """A bundle with the tag object alone, naming its commit as prerequisite (EXP-1).

        It is read back with code that is not git's before it is returned.
        """
        check_tag_name(tag_name)
        ref = f"refs/tags/{tag_name}"
        oid = self._git.refs(ref).get(ref)
        if oid is None:
            raise PolicyRefused(
                "EXP-1/no-tag", f"There is no signed tag {tag_name}.", "Sign the tag first."
            )
        tag_object = self._git.run("cat-file", "tag", oid).stdout
        tag = parse_tag(tag_object)
        check_tag(tag, name=tag_name, target_oid=tag.target_oid)
        packed = self._git.run(
            "bundle", "create", "-q", "--version=2", "-", ref, f"^{tag.target_oid}"
        ).stdout
        bundle = with_prerequisite(packed, tag.target_oid)
        found = parse_tag_bundle(bundle)
        if (found.ref_name, found.tag_oid, found.tag_object) != (ref, oid, tag_object):
            raise ToolError(
                "EXP-1/tag-bundle",
                "The bundle that git made does not hold the tag that was signed.",
                "Do not use this workstation's git; check its installation.",
            )
        return bundle

    def delete_tag(self, tag_name: str) -> None:
        """Take back a ref that was never released; nothing there is fine."""
        check_tag_name(tag_name)
        standing = self._git.refs(f"refs/tags/{tag_name}")
        self._git.update_refs(f"delete {name} {oid}\n" for name, oid in standing.items())


def _time_text(seconds: str) -> str:
    try:
        return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError) as error:
        raise FormatError(
            "IMP-6/commit-time",
            "The commit has no sensible time.",
            "Ask who made it; do not tag it.",
        ) from error
