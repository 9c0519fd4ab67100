"""Generate or import the signing keys, in a ceremony (KEY-1, KEY-2).

One maintainer alone can hold it: whatever was not done stands in the transcript as not done.
"""

from typing import Final

from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.registry import Algorithm, RegisteredKey
from pai_signer.workflows.ceremony.closing import close_given_up, closing
from pai_signer.workflows.ceremony.frame import Plan, ScriptState, TranscriptRecorder, print_script
from pai_signer.workflows.ceremony.opening import opening
from pai_signer.workflows.engine import Outcome, Step, Workflow
from pai_signer.workflows.keys.add_keys_state import (
    AddKeysState,
    already_active,
    are_registered,
    awaits_successor,
    discard_strays,
    shown_id,
    strays_of,
)
from pai_signer.workflows.keys.add_keys_steps import (
    AddMinisign,
    AddOpenPgp,
    CompareMinisign,
    CompareOpenPgp,
    Explain,
    GpgPassphrase,
    MakeRevocations,
    MinisignPassphrase,
    Register,
    TypeKeyFile,
    command_of,
)
from pai_signer.workflows.keys.rotation_compromise import awaited_key
from pai_signer.workflows.keys.sign_registry import ALGORITHMS, GPG, MINISIGN, SystemName
from pai_signer.workflows.pick_directory import given_directory
from pai_signer.workflows.workbench import Workbench

DISCARDED: Final = "key.birth-discarded"

_ON_EVERY_TABLE: Final = (
    "this script on paper, and a pen",
    "a clock or watch of each maintainer, set right today",
    "a medium to carry the published keys to the online machine",
)
_APART: Final = "another medium, apart from every backup, for the revocation certificates"


def generate_keys(bench: Workbench, only: SystemName | None = None) -> Workflow[AddKeysState]:
    """Build the ceremony that makes new keys at stock strength (KEY-1)."""
    return _add_keys(bench, _to_generate(only))


def import_key(bench: Workbench, system: SystemName, key_file: str = "") -> Workflow[AddKeysState]:
    """Build the ceremony that takes in an existing secret key and proves it."""
    path = given_directory(key_file)
    return _add_keys(bench, _to_import(system, path))


def generation_script(bench: Workbench, only: SystemName | None = None) -> Workflow[ScriptState]:
    """Build the workflow that only shows the script of a generation (``--script``)."""
    return _script(bench, _to_generate(only))


def import_script(bench: Workbench, system: SystemName) -> Workflow[ScriptState]:
    """The same of an import."""
    return _script(bench, _to_import(system, ""))


def _to_generate(only: SystemName | None) -> AddKeysState:
    return AddKeysState(systems=(only,) if only else (MINISIGN, GPG))


def _to_import(system: SystemName, path: str) -> AddKeysState:
    return AddKeysState(systems=(system,), imported=True, key_file=path)


def _script(bench: Workbench, start: AddKeysState) -> Workflow[ScriptState]:
    plan = _plan(start)
    unneeded = {step.id for step in _own_steps(bench, start) if step.done(start)}
    steps = [step for step in _steps(bench, start, plan) if step.id not in unneeded]
    return print_script(bench, plan, steps)


def _add_keys(bench: Workbench, start: AddKeysState) -> Workflow[AddKeysState]:
    for system in start.systems:
        existing = bench.registry().signing_key(ALGORITHMS[system])
        if existing is not None and not _is_unfinished(bench, start, existing):
            raise already_active(existing)
        awaiting = awaited_key(bench.registry(), ALGORITHMS[system])
        if awaiting is not None:
            raise awaits_successor(awaiting, system)
    plan = _plan(start)
    recorder: TranscriptRecorder[AddKeysState] = TranscriptRecorder(
        bench.clock, keeps=("strays_before", "added", "revocable")
    )
    return Workflow(
        name=_name(start),
        key=_key(start),
        title=plan.title,
        start=start,
        steps=_steps(bench, start, plan),
        outcome=lambda state: _outcome(bench, state),
        discard=lambda state: _discard(bench, plan, state),
        recorder=recorder,
    )


def _steps(bench: Workbench, start: AddKeysState, plan: Plan) -> tuple[Step[AddKeysState], ...]:
    before: tuple[Step[AddKeysState], ...] = opening(bench, plan)
    after: tuple[Step[AddKeysState], ...] = closing(bench, plan)
    return (*before, *_own_steps(bench, start), *after)


def _own_steps(bench: Workbench, start: AddKeysState) -> tuple[Step[AddKeysState], ...]:
    return (
        TypeKeyFile(bench),
        Explain(bench),
        MinisignPassphrase(bench, start),
        GpgPassphrase(bench, start),
        AddMinisign(bench, start),
        AddOpenPgp(bench, start),
        MakeRevocations(bench),
        CompareMinisign(bench),
        CompareOpenPgp(bench),
        Register(bench, start),
    )


def _plan(start: AddKeysState) -> Plan:
    table = (*_ON_EVERY_TABLE, *((_APART,) if GPG in start.systems else ()))
    if start.imported:
        system = start.systems[0]
        return Plan(
            name=f"import-{system}",
            title="Import a minisign key" if system == MINISIGN else "Import an OpenPGP key",
            purpose=(
                "A secret key that exists already is taken in, proved, and entered into the "
                "signed registry."
            ),
            command=command_of(start).strip(),
            materials=("the medium with the secret key, and its passphrase", *table),
        )
    return Plan(
        name=f"generate-{'-'.join(start.systems)}",
        title="Generate keys",
        purpose=(
            "The keys that will sign every release are made, compared and entered into the "
            "signed registry. Nobody else can make them again: what is lost here is lost."
        ),
        command=command_of(start),
        materials=(
            "for each key, paper and an envelope for its passphrase: six or more random words",
            *table,
        ),
    )


def _name(state: AddKeysState) -> str:
    return "import-key" if state.imported else "generate-keys"


def _key(state: AddKeysState) -> str:
    return "-".join(state.systems)


def _is_unfinished(bench: Workbench, start: AddKeysState, key: RegisteredKey) -> bool:
    """Whether a crash came between the registering of this key and the end of its run."""
    saved = bench.states.load(f"{_name(start)}.{_key(start)}") or b""
    return f'"{key.id}"'.encode() in saved


def _discard(bench: Workbench, plan: Plan, state: AddKeysState) -> None:
    """Keys that were made and never registered are in nobody's use: remove them."""
    # The registry decides, not the state: a crash may have come right after it was stored.
    if are_registered(bench, state):
        close_given_up(bench, plan, state)
        return
    removed = {a.value: list(strays_of(bench, state, a)) for a in Algorithm}
    for algorithm in Algorithm:
        discard_strays(bench, state, algorithm)
    if any(removed.values()):  # or right before, when the journal had the birth already
        bench.journal.append(DISCARDED, {"removed": removed, "ceremony": state.ceremony})


def _outcome(bench: Workbench, state: AddKeysState) -> Outcome:
    lines: list[Line] = []
    for key in state.added:
        lines += [Line(shown_id(key), label=key.algorithm.value, mark=Mark.OK)]
        if key.algorithm is Algorithm.MINISIGN:
            lines += [Line(key.public_key, label="public key")]
    following = ["publish the registry: key publish DIR"]
    if state.revocable:
        lines += [Line("superseded and compromised, kept in the vault", label="revocations")]
        following.append("carry the revocation certificates out: key revocations DEST")
    following += [
        "carry the transcript out: ceremony export DEST",
        "each custodian makes a backup: backup create --custodian NAME DEST",
    ]
    lines += [
        Line(state.ceremony, label="ceremony"),
        Line(),
        Line("Next:"),
        *(Line(f"- {what}") for what in following),
    ]
    data = {
        "keys": [
            {"algorithm": k.algorithm.value, "id": k.id, "state": k.state.value}
            for k in state.added
        ],
        "ceremony": state.ceremony,
        "registry_serial": bench.registry().serial,
    }
    return Outcome((Page("Keys", tuple(lines)),), data)
