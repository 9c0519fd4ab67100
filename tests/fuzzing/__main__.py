"""``make fuzz``: ten million spoilt inputs over all parsers, on every core.

``PAI_FUZZ`` is the number of inputs in all, shared evenly; what was done before counts, so
that a run that was stopped goes on where it was. ``PAI_FUZZ_SEED`` begins another series.
Names of targets as arguments choose some of them. Everything is kept in ``build/fuzz``: for
each target the corpus, the inputs that were findings, and how far it came. Ends with 1 if
anything was found.
"""

import hashlib
import os
import random
import resource
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Final

import msgspec

from tests.fuzzing.engine import Campaign, Tally
from tests.fuzzing.targets import targets

FOLDER: Final = Path("build/fuzz")
DEFAULT_INPUTS: Final = 10_000_000
BATCH: Final = 5_000
#: More than any parser needs for inputs of 64 KiB, and far less than a bomb would take.
MAX_MEMORY_BYTES: Final = 1 << 30


class Progress(msgspec.Struct):
    """How far one target came; the seed and the batch tell every input."""

    seed: int
    accepted: int = 0
    refused: int = 0
    kept: int = 0
    seconds: float = 0.0
    findings: int = 0

    @property
    def tried(self) -> int:
        """All inputs."""
        return self.accepted + self.refused


def fuzz(name: str, seed: int, wanted: int, folder: Path = FOLDER) -> Progress:
    """Go on with one target until ``wanted`` inputs were tried, or a finding was made."""
    target = next(target for target in targets() if target.name == name)
    home = folder / name
    for part in ("corpus", "findings"):
        (home / part).mkdir(parents=True, exist_ok=True)
    progress = _loaded(home, seed)
    corpus = sorted((home / "corpus").iterdir())
    campaign = Campaign(target, [file.read_bytes() for file in corpus])
    while progress.tried < wanted and not campaign.findings:
        chance = random.Random(f"{seed}/{name}/{progress.tried}")
        tally = campaign.run(chance, min(BATCH, wanted - progress.tried))
        for data in campaign.corpus:
            _keep(home / "corpus", data)
        _count(progress, tally)
        for finding in campaign.findings:
            file = _keep(home / "findings", finding.data)
            file.with_suffix(".txt").write_text(finding.problem)
        progress.findings = len(campaign.findings)
        (home / "progress.json").write_bytes(msgspec.json.encode(progress))
    return progress


def _loaded(home: Path, seed: int) -> Progress:
    try:
        progress = msgspec.json.decode((home / "progress.json").read_bytes(), type=Progress)
    except FileNotFoundError:
        return Progress(seed)
    return progress if progress.seed == seed else Progress(seed)


def _count(progress: Progress, tally: Tally) -> None:
    progress.accepted += tally.accepted
    progress.refused += tally.refused
    progress.kept += tally.kept
    progress.seconds += tally.seconds


def _keep(folder: Path, data: bytes) -> Path:
    file = folder / hashlib.sha256(data).hexdigest()[:32]
    if not file.exists():
        file.write_bytes(data)
    return file


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))


def main(chosen: Sequence[str]) -> int:
    """Run every target, or the chosen ones, and print a line for each."""
    names = [target.name for target in targets()]
    if unknown := set(chosen) - set(names):
        print(f"no such target: {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
        return 2
    seed = int(os.environ.get("PAI_FUZZ_SEED") or 1)
    wanted = -(-int(os.environ.get("PAI_FUZZ") or DEFAULT_INPUTS) // len(names))
    tried = found = 0
    with ProcessPoolExecutor(os.cpu_count(), initializer=_limit_memory) as pool:
        runs = {pool.submit(fuzz, name, seed, wanted): name for name in chosen or names}
        for run in as_completed(runs):
            progress = run.result()
            tried, found = tried + progress.tried, found + progress.findings
            print(
                f"{runs[run]:20} {progress.tried:>10,} inputs "
                f"{progress.tried / max(progress.seconds, 0.001):>8,.0f}/s "
                f"{progress.accepted / max(progress.tried, 1):>6.1%} accepted "
                f"{progress.kept:>5} kept {progress.findings:>3} findings",
                flush=True,
            )
    print(f"{tried:,} inputs, {found} findings; all of it is in {FOLDER}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
