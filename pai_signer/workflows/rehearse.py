"""The whole job on practice media with throwaway keys, played by a script (FACE-5)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.policy import failures
from pai_signer.domain.progress import Progress
from pai_signer.domain.secret import Secret
from pai_signer.errors import SignerError, UntrustedKey
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import YES, Answer, Outcome
from pai_signer.workflows.release.evaluate import evaluate
from pai_signer.workflows.release.sign_release import WAIVE
from pai_signer.workflows.script import Speaker, play
from pai_signer.workflows.verify.verify_release import VerifyRequest, verify_release
from pai_signer.workflows.workbench import Workbench

WHY: Final = "this is a rehearsal"


@dataclass(frozen=True)
class RehearsalPlan:
    """What is rehearsed, and which of the media play which part (device names)."""

    version: str
    downloads: str
    uploads: str
    #: Two more, which play the media of two custodians.
    custodians: tuple[str, ...]
    #: Puts the exported folder and the artifacts together, as a user would download them.
    publish: Callable[[Path], Path]


def rehearse(
    bench: Workbench,
    plan: RehearsalPlan,
    speaker: Speaker,
    phrases: Mapping[str, bytes] | None = None,
    before_release: Callable[[], None] = lambda: None,
) -> Outcome:
    """Generate, import, review, sign, export, verify; returns where everything is.

    It ends with the proof that production verification rejects what was made. ``phrases``
    are throwaway passphrases of both keys, for whoever goes on with them; ``before_release``
    is what is done once there are keys.
    """
    if phrases is None:
        phrases = throwaway_phrases(bench)
    # A practice machine has a network, and perhaps little memory.
    play_entry(bench, "key.generate", {}, {"despite": WHY, **as_answers(phrases)}, speaker)
    before_release()
    picked = {"medium": plan.downloads}
    play_entry(bench, "release.import", {"version": plan.version}, picked, speaker)
    answers: dict[str, Answer] = {"clock": YES, "confirm": plan.version}
    waived = _to_waive(bench, plan.version)
    answers.update({f"{WAIVE}{check}": WHY for check in waived})
    answers.update(as_answers(phrases))
    play_entry(bench, "release.sign", {"version": plan.version}, answers, speaker)
    picked = {"medium": plan.uploads}
    exported = play_entry(bench, "release.export", {"version": plan.version}, picked, speaker)
    folder = plan.publish(Path(str(exported.data["folder"])))
    verified = verify_practice(bench, folder, accept_rehearsal=True)
    lines = (
        *verified.pages[0].lines,
        Line(_rejected_in_production(bench, folder), label="production", mark=Mark.OK),
        Line(str(folder), label="published files"),
    )
    data = {**verified.data, "rehearsal": True, "folder": str(folder), "waived": waived}
    return Outcome((Page("The rehearsal is over", lines),), data)


def play_entry(
    bench: Workbench,
    entry_id: str,
    arguments: Mapping[str, str],
    answers: Mapping[str, Answer],
    speaker: Speaker,
) -> Outcome:
    """Play one entry of the catalogue; raises what its outcome refuses."""
    outcome = play(catalogue.begin(bench, entry_id, arguments), answers, speaker)
    if outcome.refusal is not None:
        raise outcome.refusal
    return outcome


def _to_waive(bench: Workbench, version: str) -> list[str]:
    """What a practice machine does not have: an air gap; custody, where it was not played."""
    bench_candidate = bench.candidate(version)
    results = evaluate(bench, bench_candidate, visit="all", clock_confirmed=True, waivers={})
    return [result.id for result in failures(results) if result.waivable]


def throwaway_phrases(bench: Workbench) -> dict[str, bytes]:
    """A passphrase for each of the two keys."""
    return {name: throwaway_phrase(bench) for name in ("minisign", "gpg")}


def throwaway_phrase(bench: Workbench) -> bytes:
    """Random words; as bytes, for they open practice keys only."""
    with bench.passphrases.offer() as words:
        return bytes(words.reveal())


def as_answers(phrases: Mapping[str, bytes]) -> dict[str, Answer]:
    """Fresh secrets, since each is wiped by the step that takes it."""
    return {name: Secret(bytearray(phrase)) for name, phrase in phrases.items()}


def verify_practice(bench: Workbench, folder: Path, *, accept_rehearsal: bool) -> Outcome:
    """Verify the published folder; as practice, or as strictly as any real release."""
    request = VerifyRequest(
        directory=folder,
        keys=folder / "keys",
        manifest_name=bench.profile.artifacts.manifest,
        accept_rehearsal=accept_rehearsal,
    )
    return verify_release(request, bench.sources, bench.verifiers, Progress())


def _rejected_in_production(bench: Workbench, folder: Path) -> str:
    """FACE-5: the same files have to fail where real releases are verified."""
    try:
        verify_practice(bench, folder, accept_rehearsal=False)
    except UntrustedKey as error:
        return f"rejected, as it must be: {error.summary}"
    raise SignerError(
        "FACE-5/accepted",
        "Production verification accepted a rehearsal's signatures.",
        "Do not use this program; report this as a bug.",
        unchanged="Nothing was published.",
    )
