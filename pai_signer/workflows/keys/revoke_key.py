"""Revoke a key (KEY-5): a ceremony around one point of no return.

Everything is prepared first: the OpenPGP revocation, the list of releases that stay good.
Then one step signs notice, list and registry with the keys that can still sign. The
registry decides; the vault's own OpenPGP key is revoked after it, with what was registered.
"""

from typing import Any, Final

import msgspec

from pai_signer.domain.compromise import notice_name
from pai_signer.domain.endorsement import endorsement_name
from pai_signer.domain.openpgp_certificate import key_revocation_codes
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, KeyState, RegisteredKey, Registry
from pai_signer.domain.revocation import (
    RevokeReason,
    check_certificate_wanted,
    check_revocable,
)
from pai_signer.errors import PolicyRefused, UsageError
from pai_signer.workflows.ceremony.closing import close_given_up, closing
from pai_signer.workflows.ceremony.frame import Plan, TranscriptRecorder
from pai_signer.workflows.ceremony.opening import opening
from pai_signer.workflows.engine import (
    Answer,
    Automatic,
    Outcome,
    Question,
    Step,
    TypedText,
    Workflow,
)
from pai_signer.workflows.keys.compromise_papers import (
    CEREMONY,
    check_lists,
    papers_facts,
    signed_papers,
)
from pai_signer.workflows.keys.ending_key import (
    ApplyRevocation,
    AskTrustedUntil,
    AskWhy,
    PrepareRevocation,
    apply_revocation,
    ended_registry,
    marked_registry,
    prepared_block,
)
from pai_signer.workflows.keys.key_dates import NOT_COMPARED, check_clock
from pai_signer.workflows.keys.read_lists import ReadLists, lists_as_read
from pai_signer.workflows.keys.revocation_steps import (
    ChooseKey,
    ChooseReason,
    Explain,
    RevokeState,
    set_reason,
)
from pai_signer.workflows.keys.sign_registry import sign_and_store
from pai_signer.workflows.keys.sign_with_all import HELD_UNDER
from pai_signer.workflows.keys.signer_passphrases import MinisignPassphrase, OpenPgpPassphrase
from pai_signer.workflows.pick_directory import given_directory
from pai_signer.workflows.workbench import Workbench

REVOKED: Final = "key.revoked"
DISCARDED: Final = "key.revocation-discarded"
NAME: Final = "revoke-key"


def plan(key_id: str = "", reason: str = "") -> Plan:
    """What the ceremony is for, and what it needs on the table."""
    reasoned = f" --reason {reason}" if reason else ""
    return Plan(
        name=NAME,
        title="Revoke a key",
        purpose=(
            "A key ends before its time, and everybody is told. If it is in other hands, its "
            "signatures count for nothing from now on; the releases that were really ours are "
            "listed and stay good."
        ),
        command=f"key revoke {key_id}".rstrip() + reasoned,
        materials=(
            "this script on paper, and a pen",
            "the passphrases of the keys that stay in use",
            "of an OpenPGP key: its passphrase, or its revocation certificate for COMPROMISED",
            "the receipts of all releases, on paper or published, and the journal's head in words",
            "a clock or watch of each maintainer, set right today",
            "a medium to carry the published keys to the online machine",
        ),
    )


def revoke_key(
    bench: Workbench, key_id: str = "", reason: RevokeReason | None = None, certificate: str = ""
) -> Workflow[RevokeState]:
    """Build the ceremony; what is not given is asked.

    ``PolicyRefused`` where the key cannot be revoked for that reason. ``certificate`` is the
    path of a revocation that was prepared, for a key whose secret or passphrase is lost.
    """
    start = RevokeState(
        key=key_id,
        reason=reason,
        certificate=given_directory(certificate),
    )
    if key_id and not bench.states.load(f"{NAME}.{key_id}"):
        key = bench.registry().find(key_id)
        if reason is not None:
            check_revocable(bench.registry(), key_id, reason)
            if certificate:
                check_certificate_wanted(key, reason)
    what = plan(key_id, reason or "")
    recorder: TranscriptRecorder[RevokeState] = TranscriptRecorder(bench.clock)
    return Workflow(
        name=NAME,
        key=key_id,
        title=what.title,
        start=start,
        steps=revocation_steps(bench, what),
        outcome=lambda state: _outcome(bench, state),
        discard=lambda state: _discard(bench, what, state),
        recorder=recorder,
    )


def revocation_steps(bench: Workbench, what: Plan) -> tuple[Step[RevokeState], ...]:
    """All steps, for walking and for the printed script."""
    before: tuple[Step[RevokeState], ...] = opening(bench, what)
    after: tuple[Step[RevokeState], ...] = closing(bench, what)

    def is_over(state: RevokeState) -> bool:
        return _is_over(bench, state)

    def ends(state: RevokeState) -> str:
        return state.key

    def nothing_to_read(state: RevokeState) -> bool:
        return state.reason != "compromised" or is_over(state)

    def marked(state: RevokeState) -> Registry:
        return marked_registry(bench, state, bench.clock.now())

    asking: tuple[Step[RevokeState], ...] = (
        AskTrustedUntil(bench, is_over),
        AskWhy(bench, is_over),
        PrepareRevocation(bench, is_over),
    )
    apply: Step[RevokeState] = ApplyRevocation(bench, is_over)
    lists: Step[RevokeState] = ReadLists(bench, marked, nothing_to_read)
    minisign: Step[RevokeState] = MinisignPassphrase(bench, ends, is_over)
    openpgp: Step[RevokeState] = OpenPgpPassphrase(bench, ends, is_over)
    return (
        *before,
        ChooseKey(bench),
        ChooseReason(bench),
        Explain(bench),
        *asking,
        lists,
        minisign,
        openpgp,
        _Revoke(bench),
        apply,
        *after,
    )


def _is_over(bench: Workbench, state: RevokeState) -> bool:
    """The registry decides: a crash may have come right after it was stored."""
    if state.revoked:
        return True
    if not (state.ceremony and state.key and state.reason):
        return False
    key = bench.registry().find(state.key)
    if state.reason == "compromised":
        reached = key.life is KeyState.COMPROMISED
    else:
        reached = key.life is KeyState.RETIRED and _is_told(key)
    return reached and _is_journalled(bench, state)


def _is_journalled(bench: Workbench, state: RevokeState) -> bool:
    return any(
        entry.event == REVOKED and entry.facts.get(CEREMONY) == state.ceremony
        for entry in bench.journal.entries()
    )


def _is_told(key: RegisteredKey) -> bool:
    """Whether its certificate says that it ended; minisign has none that could."""
    return key.algorithm is Algorithm.MINISIGN or bool(key_revocation_codes(key.public_key))


class _RevokeStep(Step[RevokeState]):
    """What the steps around the point of no return share."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench


class _Revoke(_RevokeStep):
    """Notice, list and registry: signed, journalled, stored."""

    id = "revoke"
    title = "Revoke"
    commit_point = True
    unchanged = "The registry was not changed, and no key was revoked."
    in_script = (
        "The keys that stay in use sign the notice, the list of releases, and the registry in "
        "which the key is revoked. There is no way back.",
    )
    blanks = ("ID of the revoked key, typed",)

    def done(self, state: RevokeState) -> bool:
        return state.revoked

    def question(self, state: RevokeState) -> Question:
        if _is_over(self._bench, state):
            return Automatic("revoke")
        return TypedText(
            "confirm",
            f"There is no way back. Type the ID of the key that is revoked as {state.reason}, "
            f"{state.key}",
            must_equal=state.key,
            refusal=UsageError(
                "KEY-5/not-confirmed",
                "The revocation was not confirmed.",
                f"Confirm it (--confirm {state.key}), or discard the ceremony.",
            ),
        )

    def act(self, state: RevokeState, answer: Answer, progress: Progress) -> RevokeState:
        if not _is_over(self._bench, state):
            self._carry_out(state)
        progress.say(Line("the registry is signed; the key is revoked in it", mark=Mark.OK))
        return msgspec.structs.replace(state, revoked=True)

    def _carry_out(self, state: RevokeState) -> None:
        bench = self._bench
        # Days may lie in between, if it was interrupted.
        check_clock(
            bench,
            NOT_COMPARED,
            last_step=state.taken[-1].at,
            looked_at=state.clock_looked_at,
        )
        now = bench.clock.now()
        key = check_revocable(bench.registry(), state.key, set_reason(state))
        following = ended_registry(bench, state, now)
        facts: dict[str, Any] = {
            "keys": [{"algorithm": key.algorithm.value, "id": key.id}],
            "reason": state.reason,
            "why": state.why,
            CEREMONY: state.ceremony,
            "command": f"key revoke {key.id} --reason {state.reason}",
        }
        if state.reason == "compromised":
            facts["do_not_trust_after"] = state.ended_alone_until.isoformat()
            lists = lists_as_read(bench, state)
            check_lists(bench, following, lists)
            try:
                papers = signed_papers(bench, following, lists, HELD_UNDER)
            except BaseException:  # whatever happened, secrets are asked again
                bench.session.wipe()
                raise
            # Before the registry: what is registered has its papers, whatever crashes.
            bench.ceremonies.save(state.ceremony, papers)
            facts |= papers_facts(state.ceremony, papers)
        elif key.algorithm is Algorithm.OPENPGP:
            self._check_nothing_signed_since(state)
        sign_and_store(bench, following, REVOKED, facts)

    def _check_nothing_signed_since(self, state: RevokeState) -> None:
        """A soft revocation makes strict verifiers refuse what its key signed later."""
        bench = self._bench
        block = prepared_block(bench, state)
        made_at = bench.openpgp_life.check_revocation(state.key, block).created_at
        for entry in bench.journal.entries():
            if entry.time > made_at and state.key in entry.facts.get("keys", ()):
                raise PolicyRefused(
                    "KEY-5/signed-since",
                    f"The key signed at {entry.time:%Y-%m-%d %H:%M} UTC, after its revocation "
                    "was prepared.",
                    "Discard this run and begin it again.",
                )


def _discard(bench: Workbench, what: Plan, state: RevokeState) -> None:
    """What was prepared and never registered is removed; what was registered stands."""
    if not state.ceremony or not state.key:
        return
    if _is_over(bench, state):
        apply_revocation(bench, state)
        close_given_up(bench, what, state)
        return
    bench.ceremonies.delete(state.ceremony)
    if _is_journalled(bench, state):  # a crash came between the entry and the registry
        facts = {"keys": [state.key], CEREMONY: state.ceremony, "why": "not registered"}
        bench.journal.append(DISCARDED, facts)


def _outcome(bench: Workbench, state: RevokeState) -> Outcome:
    key = bench.registry().find(state.key)
    files = bench.ceremonies.load(state.ceremony)
    is_compromised = state.reason == "compromised"
    lines = [
        Line(key.id, label="key", mark=Mark.OK),
        Line(key.life.value, label="state"),
        Line(state.ceremony, label="ceremony"),
        Line(),
    ]
    system = "minisign" if key.algorithm is Algorithm.MINISIGN else "gpg"
    if is_compromised:
        lines[3:3] = [
            Line(f"{state.ended_alone_until:%Y-%m-%d %H:%M} UTC", label="ours until"),
            Line(notice_name(key.id), label="notice"),
            Line(endorsement_name(key.id), label="list"),
        ]
    if bench.registry().signing_key(key.algorithm) is None:
        command = f"key generate --only {system}"
        if is_compromised:
            command = f"key rotate {system} --reason compromised"
        lines.append(Line(f"Next: a new key ({command})."))
    lines.append(Line("Publish the keys at once (key publish DIR): until then nobody knows."))
    pages = [Page("Revoked", tuple(lines))]
    texts = {}
    if is_compromised:
        name = notice_name(key.id)
        texts[name] = files[name].decode()
        pages.append(Page(name, tuple(Line(line) for line in texts[name].splitlines())))
    data = {
        "key": key.id,
        "state": key.life.value,
        "reason": state.reason,
        "ceremony": state.ceremony,
        "do_not_trust_after": (state.ended_alone_until.isoformat() if is_compromised else None),
        "papers": sorted(n for n in files if n.startswith(("do-not-trust-", "endorsement-"))),
        "texts": texts,
        "registry_serial": bench.registry().serial,
    }
    return Outcome(tuple(pages), data)
