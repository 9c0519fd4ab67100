"""The verdict of ``verify``: one line on what can be trusted and why, and a table (VER-1)."""

from dataclasses import dataclass
from typing import Final

from pai_signer.domain.page import Line, Mark, Page
from pai_signer.errors import CannotTell, ToolMissing
from pai_signer.workflows.engine import Outcome
from pai_signer.workflows.verify.verification import TAG
from pai_signer.workflows.verify.verified import Statement, Verified
from pai_signer.workflows.verify.verify_index import IndexVerdict

GOOD: Final = "good"
COULD_NOT_TELL: Final = "could-not-tell"


@dataclass(frozen=True)
class Findings:
    """All that was found; nothing of it is wrong.

    ``index`` is what the release index says of the release, ``about_index`` all that is to be
    said of the index; ``left_alone`` are files here that nobody vouches for.
    """

    verified: Verified
    index: IndexVerdict
    about_index: tuple[Statement, ...] = ()
    left_alone: tuple[Statement, ...] = ()
    unchecked: tuple[ToolMissing, ...] = ()
    #: The keys lie in the folder that they vouch for, and nobody knows them from elsewhere.
    keys_from_the_release: bool = False
    #: Signature systems that were in use when this was signed, and are missing here.
    due: tuple[str, ...] = ()

    @property
    def statements(self) -> tuple[Statement, ...]:
        """Every one, in the order of the table."""
        return (*self.verified.statements, *self.about_index, *self.left_alone)


def outcome_of(findings: Findings, project: str, manifest_name: str) -> Outcome:
    """The verdict on its page, then the table; what could not be told is a refusal as well."""
    verified, statements = findings.verified, findings.statements
    about = f"{project} {verified.version or 'a release'}"
    text = f"{about}: {_what(verified, manifest_name)}{_by_whom(verified)}"
    text += findings.index.sentence
    if findings.keys_from_the_release:
        text += " The keys came with the release: that they are the project's own is NOT shown."
    if findings.left_alone:
        text += f" Not vouched for: {len(findings.left_alone)} other files here."
    refusal = _refusal(findings, text)
    verdict = f"GOOD: {text}" if refusal is None else f"COULD NOT TELL: {refusal.summary}"
    data = {
        "verdict": GOOD if refusal is None else COULD_NOT_TELL,
        "text": verdict,
        "version": verified.version,
        "signed_by": list(verified.signed_by),
        "endorsed_by": list(verified.endorsed_by),
        "counts_for_nothing": list(verified.count_for_nothing),
        "files_checked": list(verified.artifacts_checked),
        "files_absent": list(verified.artifacts_absent),
        "tag": verified.tag_oid,
        "signatures_missing": list(verified.missing_systems),
        "in_index": findings.index.is_listed,
        "index_entries": findings.index.entries,
        "deprecated": findings.index.deprecated_for is not None,
        "replacement": findings.index.deprecated_for,
        "statements": [{"text": s.text, "proved": s.proved} for s in statements],
    }
    table = tuple(Line(s.text, mark=Mark.OK if s.proved else Mark.WARN) for s in statements)
    mark = Mark.WARN if findings.index.deprecated_for or refusal else Mark.NONE
    pages = (
        Page("Verified", (Line(verdict, mark=mark),)),
        Page("Everything that was looked at", table),
    )
    return Outcome(pages, data, refusal)


def _refusal(findings: Findings, text: str) -> CannotTell | None:
    """VER-1: what nobody could check stays open, with exit code 5.

    ``gpg`` is optional, and a signature that is due may have been taken away.
    """
    if findings.due and not findings.unchecked:
        return CannotTell(
            "VER-1/signature-missing",
            f"{text} When this was signed, {' and '.join(findings.due)} was in use as well.",
            "What is here is right. Get the missing signature from where the release was "
            "published; if it is not there, ask the project before you use a file.",
            unchanged="Nothing was changed: verifying only reads.",
        )
    if not findings.unchecked:
        return None
    missing = findings.unchecked[-1]
    return CannotTell(
        "VER-1/not-all-checked",
        f"{text} The OpenPGP signatures could not be checked: {_lower(missing.summary)}",
        f"What was checked is right. To have all of it checked, {_lower(missing.hint)}",
        unchanged="Nothing was changed: verifying only reads.",
    )


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _what(verified: Verified, manifest_name: str) -> str:
    """What is vouched for; by a list of endorsed releases alone, it says so (KEY-5)."""
    checked, listed = len(verified.artifacts_checked), len(verified.manifest)
    what = []
    if listed:
        word = "endorsed" if verified.is_endorsed_only(manifest_name) else "signed"
        what.append(
            f"{checked} of {listed} files match the {word} manifest"
            if checked
            else f"the manifest is {word} (none of its {listed} files is here)"
        )
    elif checked:
        what.append(f"{checked} files are those that the receipt names")
    if verified.tag_oid:
        word = "endorsed" if verified.is_endorsed_only(TAG) else "signed"
        what.append(f"the tag is {word}")
    return ", ".join(what) or ("signed" if verified.signed_by else "endorsed")


def _by_whom(verified: Verified) -> str:
    by = [f"by {' and '.join(verified.signed_by)}"] if verified.signed_by else []
    if verified.endorsed_by:
        by.append(f"endorsed by {' and '.join(verified.endorsed_by)}")
    missing = "".join(f" A signature is missing: {name}." for name in verified.missing_systems)
    nothing = "".join(
        f" The signature by the compromised key {key} counts for nothing."
        for key in verified.count_for_nothing
    )
    return f", {'; '.join(by)}.{missing}{nothing}"
