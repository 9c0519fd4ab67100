"""The review pages: one fact a page, everything that will be signed (REV-1)."""

from collections.abc import Sequence

from pai_signer.domain.artifact import Artifact, Candidate, Commit, FindingLevel
from pai_signer.domain.history import SignedRelease
from pai_signer.domain.minisig import trusted_comment
from pai_signer.domain.openpgp import grouped_fingerprint
from pai_signer.domain.page import Line, Mark, Page, digest_lines, group_rows
from pai_signer.domain.policy import CheckResult, Result
from pai_signer.domain.profile import Profile
from pai_signer.domain.registry import Algorithm, Registry
from pai_signer.domain.words import to_words

WORDS_PER_LINE = 4
LOG_LINES_PER_PAGE = 14

_MARKS = {
    Result.PASSED: Mark.OK,
    Result.WARNED: Mark.WARN,
    Result.FAILED: Mark.FAIL,
    Result.WAIVED: Mark.WAIVED,
}
_FINDING_MARKS = {
    FindingLevel.NOTE: Mark.OK,
    FindingLevel.ODD: Mark.WARN,
    FindingLevel.BAD: Mark.FAIL,
}


def word_lines(label: str, digest_hex: str) -> list[Line]:
    """A digest as words for reading aloud, four to a line."""
    words = to_words(bytes.fromhex(digest_hex))
    rows = [" ".join(words[i : i + WORDS_PER_LINE]) for i in range(0, len(words), WORDS_PER_LINE)]
    return [Line(row, label=label if i == 0 else "") for i, row in enumerate(rows)]


def artifact_pages(candidate: Candidate, previous: SignedRelease | None) -> tuple[Page, ...]:
    """One page for each artifact's digest, and one for reading it aloud."""
    pages: list[Page] = []
    count = len(candidate.artifacts)
    for number, artifact in enumerate(candidate.artifacts, 1):
        title = f"Artifact {number} of {count}: {artifact.file.name}"
        pages.append(Page(title, tuple(_artifact_lines(artifact, previous))))
        pages.append(
            Page(
                f"{title}, read aloud",
                (
                    *digest_lines("SHA-256", artifact.file.sha256),
                    Line(),
                    *word_lines("in words", artifact.file.sha256),
                ),
            )
        )
    return tuple(pages)


def _artifact_lines(artifact: Artifact, previous: SignedRelease | None) -> list[Line]:
    lines = [
        Line(f"{artifact.file.size_bytes:,} bytes", label="size"),
        *digest_lines("SHA-256 computed", artifact.file.sha256),
        Line(),
    ]
    for expected in artifact.expected:
        if expected.sha256 == artifact.file.sha256:
            lines.append(Line("the same", label=expected.source, mark=Mark.OK))
        else:
            lines += digest_lines(expected.source, expected.sha256, Mark.FAIL)
            lines.append(Line(_difference(expected.sha256, artifact.file.sha256)))
    if not artifact.expected:
        lines.append(Line("nobody vouches for this digest", label="expected", mark=Mark.FAIL))
    lines.append(Line())
    lines += [
        Line(finding.text, label="image", mark=_FINDING_MARKS[finding.level])
        for finding in artifact.findings
    ]
    lines += _previous_digest(artifact, previous)
    return lines


def _difference(expected: str, computed: str) -> str:
    """Where two digests part, for the eye."""
    first = next(i for i, (a, b) in enumerate(zip(expected, computed, strict=True)) if a != b)
    return f"they differ from group {first // 8 + 1} of 8 on"


def _previous_digest(artifact: Artifact, previous: SignedRelease | None) -> list[Line]:
    """The difference to the last release's manifest."""
    if previous is None:
        return []
    if any(old.sha256 == artifact.file.sha256 for old in previous.manifest):
        return [Line("has the SAME content", label=previous.version, mark=Mark.WARN)]
    return [Line("other content, as expected", label=previous.version)]


def manifest_page(candidate: Candidate, manifest: bytes, profile: Profile) -> Page:
    """The manifest itself, as it will be signed, and what CI's copy needed forgiving for."""
    lines: list[Line] = []
    for line in manifest.decode("ascii").splitlines():
        digest, _, name = line.partition("  ")
        lines.append(Line(name, label="name"))
        lines += [Line(f"  {row}") for row in group_rows(digest)]
    lines += [Line(note, label="CI's copy", mark=Mark.WARN) for note in candidate.leniencies]
    lines += [Line(name, label="left alone", mark=Mark.WARN) for name in candidate.ignored]
    return Page(f"The manifest {profile.artifacts.manifest}", tuple(lines))


def commit_pages(version: str, commit: Commit, message: str) -> tuple[Page, ...]:
    """The commit to tag, and the log since the last signed tag."""
    facts = (
        Line(version, label="tag"),
        Line(message, label="message"),
        *(
            Line(row, label="commit" if i == 0 else "")
            for i, row in enumerate(group_rows(commit.oid))
        ),
        Line(commit.author, label="author"),
        Line(commit.committed_at, label="committed"),
        Line(commit.subject, label="subject"),
        *_descent_lines(commit),
    )
    pages = [Page("The commit to tag", facts)]
    log = [Line(line) for line in commit.log]
    if commit.log_is_cut:
        log.append(Line("... and more, not shown", mark=Mark.WARN))
    pages.extend(
        Page("Commits since the last release", tuple(log[start : start + LOG_LINES_PER_PAGE]))
        for start in range(0, len(log), LOG_LINES_PER_PAGE)
    )
    return tuple(pages)


def _descent_lines(commit: Commit) -> tuple[Line, ...]:
    if commit.previous_oid is None:
        return (Line("there is none", label="last release"),)
    descends = commit.descends_from_previous
    return (
        Line(commit.previous_oid, label="last release's"),
        Line(
            "descends from it" if descends else "does NOT descend from it",
            label="this commit",
            mark=Mark.OK if descends else Mark.FAIL,
        ),
    )


def keys_page(registry: Registry) -> Page:
    """Which keys will sign, in full."""
    lines: list[Line] = []
    minisign = registry.signing_key(Algorithm.MINISIGN)
    openpgp = registry.signing_key(Algorithm.OPENPGP)
    if minisign is not None:
        lines += [
            Line(minisign.id, label="minisign key ID"),
            Line(minisign.public_key, label="public key"),
            Line(f"{minisign.created_at:%Y-%m-%d}", label="since"),
        ]
    if openpgp is not None:
        expires = f"{openpgp.expires_at:%Y-%m-%d}" if openpgp.expires_at else "never"
        lines += [
            Line(),
            Line(grouped_fingerprint(openpgp.id), label="OpenPGP key"),
            Line(openpgp.user_id, label="name"),
            Line(expires, label="expires"),
        ]
    return Page("The keys that will sign", tuple(lines))


def comments_page(names: Sequence[str], version: str, project: str) -> Page:
    """The trusted comments that minisign will sign (SIG-2)."""
    comments = [trusted_comment(project, version, name) for name in names]
    lines = tuple(Line(comment.replace("\t", "  ")) for comment in comments)
    return Page("Trusted comments to be signed", lines)


def check_lines(results: Sequence[CheckResult]) -> tuple[Line, ...]:
    """Every check with its outcome; a waiver shows its reason."""
    lines: list[Line] = []
    for result in results:
        lines.append(Line(result.text, label=result.id, mark=_MARKS[result.result]))
        if result.reason:
            lines.append(Line(f"waived because: {result.reason}"))
    return tuple(lines)
