"""The jobs that make and change keys, their registry and the ceremonies' state."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from pai_signer.domain.registry import Algorithm, KeyState, RegisteredKey
from pai_signer.domain.reminders import AvoidedDays, good_expiry_day
from pai_signer.errors import EXIT_REFUSED
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import unfinished_work
from pai_signer.workflows.keys.transition_statement import published_statements
from pai_signer.workflows.verify.verify_registry import verify_registry
from tests import workstation
from tests.faults.harness import Job, Stage, contents, ends, opened
from tests.faults.strace import STARTING
from tests.workstation import Workstation

System = Literal["minisign", "gpg"]

OWN: Final = ("--passphrase-fd=minisign=3", "--passphrase-fd=gpg=4")
DESPITE: Final = ("--despite", "a test machine")
SECRETS: Final = "private-keys-v1.d"
ALGORITHMS: Final = {"minisign": Algorithm.MINISIGN, "gpg": Algorithm.OPENPGP}


@dataclass(frozen=True)
class Keys:
    """How a vault stands: what is registered, what lies in it, what is told and unfinished."""

    registered: tuple[RegisteredKey, ...]
    in_vault: frozenset[str]
    whole: frozenset[str]
    statements: int
    events: tuple[str, ...]
    unfinished: tuple[str, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the registered keys."""
        return tuple(key.id for key in self.registered)


def keys_of(here: Workstation, *systems: System) -> Keys:
    """Look, with everything verified: registry, journal and statements raise if they are wrong."""
    with opened(here) as bench:
        files = bench.registry_store.load()
        registry = verify_registry(files, bench.verifiers) if files else bench.registry()
        found: frozenset[str] = frozenset()
        whole: frozenset[str] = frozenset()
        if "minisign" in systems:
            found = whole = frozenset(bench.minisign.stray(()))
        if "gpg" in systems:
            openpgp = frozenset(bench.openpgp.stray(()))
            found |= openpgp
            whole |= {key for key in openpgp if bench.openpgp.is_whole(key)}
        statements = published_statements(bench, registry) if files else {}
        return Keys(
            registered=tuple(key for s in systems for key in registry.of(ALGORITHMS[s])),
            in_vault=found,
            whole=whole,
            statements=sum(name.endswith(".txt") for name in statements),
            events=tuple(entry.event for entry in bench.journal.entries()),
            unfinished=bench.states.names(),
        )


def secret_files(here: Workstation) -> dict[str, bytes]:
    """Every secret key that lies in the vault."""
    keys = here.vault / "keys"
    return contents(keys / "minisign", keys / "gnupg" / SECRETS)


def ceremonies(here: Workstation, *kinds: str) -> Sequence[Path]:
    """The folders of ceremonies of a kind."""
    return [path for kind in kinds for path in (here.vault / "ceremonies").glob(f"*-{kind}*")]


class Generate(Job):
    """Two keys are born and registered together; a crash never makes a second of a kind (KEY-1)."""

    name = "key generate"
    points = 80
    least = 200
    also = (STARTING,)
    stages = frozenset({"no key yet", "keys, not registered", "went on to its end"})

    def prepare(self, base: Path) -> Stage:
        here = workstation.workstation("new", base)
        return Stage(base, here, here.command("key", "generate", *DESPITE, *OWN))

    def look(self, stage: Stage) -> str:
        keys = keys_of(stage.here, "minisign", "gpg")
        assert len(keys.ids) in (0, 2)
        assert set(keys.ids) <= keys.whole
        assert len(keys.in_vault) <= 2
        if keys.ids:
            return "went on to its end" if keys.unfinished else "was complete"
        return "keys, not registered" if keys.whole else "no key yet"

    def again(self, stage: Stage, found: str) -> None:
        made = secret_files(stage.here)
        whole = keys_of(stage.here, "minisign", "gpg").whole
        if found == "was complete":  # nothing is unfinished: a second key is refused
            assert "KEY-2/already-active" in ends(stage.command, EXIT_REFUSED)
            assert secret_files(stage.here) == made
        else:
            ends(stage.command)
        assert whole <= set(keys_of(stage.here, "minisign", "gpg").ids)

    def check_end(self, stage: Stage, found: str) -> None:
        keys = keys_of(stage.here, "minisign", "gpg")
        assert [key.algorithm for key in keys.registered] == list(ALGORITHMS.values())
        assert keys.in_vault == keys.whole == set(keys.ids)
        assert 1 <= keys.events.count("key.generated") <= 2
        assert not keys.unfinished
        assert len(list((stage.here.vault / "revocations").glob("[!.]*/*"))) == 2
        assert len(list((stage.here.vault / "ceremonies").glob("[!.]*"))) == 1


class Extend(Job):
    """Every part of the key has the old date in the registry, or the new one (KEY-4)."""

    name = "key extend"
    points = 80
    least = 80
    also = (STARTING,)
    stages = frozenset({"old date", "went on to its end"})

    def prepare(self, base: Path) -> Stage:
        here = workstation.workstation("keyed", base)
        wanted = (datetime.now(UTC) + timedelta(days=500)).date()
        until = good_expiry_day(wanted, AvoidedDays()).isoformat()
        (key,) = keys_of(here, "gpg").registered
        return Stage(
            base, here, here.command("key", "extend", "--until", until, *OWN), (key, until)
        )

    def look(self, stage: Stage) -> str:
        before, until = stage.before
        keys = keys_of(stage.here, "gpg")
        (key,) = keys.registered
        assert keys.in_vault == keys.whole == {before.id}
        if key == before:
            return "old date"
        assert f"{key.expires_at:%Y-%m-%d}" == until
        with opened(stage.here) as bench:
            is_left = any(work.step for work in unfinished_work(bench.states))
        return "went on to its end" if is_left else "was complete"

    def again(self, stage: Stage, found: str) -> None:
        if found == "was complete":  # another extension, to the date that the key has
            assert "KEY-4/not-later" in ends(stage.command, EXIT_REFUSED)
            with opened(stage.here) as bench:
                for work in unfinished_work(bench.states):
                    catalogue.begin(bench, work.origin.entry, work.origin.arguments).discard()
        else:
            ends(stage.command)

    def check_end(self, stage: Stage, found: str) -> None:
        before, until = stage.before
        keys = keys_of(stage.here, "gpg")
        (key,) = keys.registered
        assert (key.id, f"{key.expires_at:%Y-%m-%d}") == (before.id, until)
        assert 1 <= keys.events.count("key.extended") <= 2
        assert not keys.unfinished


class Revoke(Job):
    """A key is revoked in the registry with its certificate, or it is as it was (KEY-5)."""

    name = "key revoke"
    points = 80
    least = 150
    also = (STARTING,)
    stages = frozenset({"still active", "went on to its end"})

    def prepare(self, base: Path) -> Stage:
        here = workstation.workstation("keyed", base)
        (key,) = keys_of(here, "gpg").registered
        secrets = ("--passphrase-fd=minisign=3", "--passphrase-fd=revoked=4")
        options = ("--reason", "retired", *DESPITE, "--confirm", key.id, *secrets)
        return Stage(base, here, here.command("key", "revoke", key.id, *options), key)

    def look(self, stage: Stage) -> str:
        keys = keys_of(stage.here, "gpg")
        (key,) = keys.registered
        if key == stage.before:
            return "still active"
        assert (key.id, key.state) == (stage.before.id, KeyState.RETIRED)
        return "went on to its end" if keys.unfinished else "was complete"

    def again(self, stage: Stage, found: str) -> None:
        if found == "was complete":
            assert "KEY-5/revoked-already" in ends(stage.command, EXIT_REFUSED)
        else:
            ends(stage.command)

    def check_end(self, stage: Stage, found: str) -> None:
        keys = keys_of(stage.here, "gpg")
        (key,) = keys.registered
        assert (key.id, key.state) == (stage.before.id, KeyState.RETIRED)
        assert 1 <= keys.events.count("key.revoked") <= 2
        assert not keys.unfinished
        assert len(ceremonies(stage.here, "revoke")) == 1


class _Rotate(Job):
    """Exactly one new key in the end, or none yet (KEY-3, KEY-4)."""

    also = (STARTING,)
    stages = frozenset(
        {
            "begun, no key yet",
            "took in the key that was made",
            "went on to its end",
            "was complete",
        }
    )
    _system: System

    def prepare(self, base: Path) -> Stage:
        here = workstation.workstation("keyed", base)
        return Stage(base, here, here.rotate(self._system), secret_files(here))

    def look(self, stage: Stage) -> str:
        keys = keys_of(stage.here, self._system)
        is_over = len(keys.ids) == 2
        assert keys.statements == is_over
        assert set(keys.ids) <= keys.whole
        assert len(keys.in_vault) <= 2
        if is_over:
            return "went on to its end" if keys.unfinished else "was complete"
        made = keys.whole - {keys.ids[0]}
        return "took in the key that was made" if made else "begun, no key yet"

    def again(self, stage: Stage, found: str) -> None:
        killed = keys_of(stage.here, self._system)
        if found != "was complete":  # its state was forgotten: it would be another rotation
            ends(stage.command)
        ended = keys_of(stage.here, self._system)
        assert killed.whole <= ended.whole
        # One more entry only where the kill came between the journal and the registry.
        told = killed.events.count("key.rotated")
        more = 1 if told and len(killed.ids) == 1 else 0
        assert 1 <= ended.events.count("key.rotated") <= 1 + more

    def check_end(self, stage: Stage, found: str) -> None:
        keys = keys_of(stage.here, self._system)
        assert len(keys.ids) == 2
        assert keys.in_vault == keys.whole == set(keys.ids)
        assert keys.statements == 1
        assert not keys.unfinished
        assert stage.before.items() <= secret_files(stage.here).items()
        assert len(ceremonies(stage.here, "rotate")) == 1


class RotateMinisign(_Rotate):
    """Of minisign."""

    name = "key rotate minisign"
    sample = (("fsync", 40),)
    points = least = 150
    _system = "minisign"


class RotateOpenPgp(_Rotate):
    """Of OpenPGP."""

    name = "key rotate gpg"
    points = least = 110
    _system = "gpg"
