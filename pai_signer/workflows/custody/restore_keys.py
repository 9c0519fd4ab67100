"""The keys of a backup enter the vault, each proved; then journal and registry (CUS-4)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, cast

import msgspec

from pai_signer.domain.backup import (
    MINISIGN_KEY_NAME,
    OPENPGP_SECRET_NAME,
    REVOCATIONS_NAME,
    unpack_revocations,
)
from pai_signer.domain.challenge import CHALLENGE_NAME, Challenge, render_challenge
from pai_signer.domain.custody import CUSTODY_RESTORED, KeyName, RestoredFacts
from pai_signer.domain.journal import encode_entry
from pai_signer.domain.minisig import trusted_comment
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey
from pai_signer.domain.secret import Secret
from pai_signer.errors import PolicyRefused, SignerError, UntrustedKey
from pai_signer.workflows.custody.custodian_passphrases import CUSTODIAN
from pai_signer.workflows.custody.restore_state import (
    RestoreState,
    RestoreStep,
    key_of,
    not_new,
)
from pai_signer.workflows.engine import Answer, Proceed, Question, SecretText
from pai_signer.workflows.workbench import Workbench


class _RestoreKey(RestoreStep):
    """One key: proved from the medium against the key that was typed from paper, then kept.

    Its passphrase in the vault is then the custodian's.
    """

    _algorithm: ClassVar[Algorithm]

    def done(self, state: RestoreState) -> bool:
        key = self._key(state)
        return state.restored or key is None or key.id in state.imported

    def _key(self, state: RestoreState) -> RegisteredKey | None:
        """As the newest registry has it: its certificate may live longer than the medium's."""
        held = key_of(self._media.first(state), self._algorithm)
        return self._media.newest(state).registry.find(held.id) if held else None

    def question(self, state: RestoreState) -> Question:
        who = self._media.first(state).facts.custodian
        prompt = f"{who}: passphrase of the {self._algorithm.shown} copy"
        return SecretText(CUSTODIAN[self._algorithm], prompt)

    def act(self, state: RestoreState, answer: Answer, progress: Progress) -> RestoreState:
        key = self._key(state)
        if key is None:
            raise RuntimeError("there is no key to restore")
        self._check_no_other(state)
        with cast("Secret", answer) as passphrase:
            state = self._restore(state, key, passphrase, progress)
        progress.say(Line(key.id, label="restored", mark=Mark.OK))
        return msgspec.structs.replace(state, imported=(*state.imported, key.id))

    def _check_no_other(self, state: RestoreState) -> None:
        """The vault is new: the only keys in it are those that this run, or its crash, left."""
        expected = {key.id for key in self._media.first(state).facts.keys}
        there = (*self._bench.minisign.stray(()), *self._bench.openpgp.stray(()))
        if not expected.issuperset(there):
            raise not_new()

    def _restore(
        self, state: RestoreState, key: RegisteredKey, passphrase: Secret, progress: Progress
    ) -> RestoreState:
        raise NotImplementedError

    def _challenge(self, state: RestoreState, key: RegisteredKey) -> bytes:
        """What the copy signs before it is taken in."""
        bench, read = self._bench, self._media.first(state)
        return render_challenge(
            Challenge(
                project=read.facts.project,
                rehearsal=read.facts.rehearsal,
                custodian=read.facts.custodian,
                medium=read.facts.medium,
                set_number=read.facts.number,
                algorithm=key.algorithm,
                key_id=key.id,
                journal=read.facts.journal_head,
                at=bench.clock.now(),
                nonce=bench.nonces.nonce().hex(),
            )
        )


class RestoreMinisign(_RestoreKey):
    """The stock key file, as it lies on the medium."""

    id = "restore-minisign"
    title = "Restore the minisign key"
    _algorithm = Algorithm.MINISIGN

    def _restore(
        self, state: RestoreState, key: RegisteredKey, passphrase: Secret, progress: Progress
    ) -> RestoreState:
        bench = self._bench
        progress.say(Line("minisign key: this takes some seconds and 1 GiB of memory"))
        if key.id in bench.minisign.stray(()):  # a crash came right after it was stored
            line = bench.minisign.adopt(key.id, passphrase)
        else:
            key_file = self._media.first(state).files[MINISIGN_KEY_NAME]
            comment = trusted_comment(f"{bench.comment_project} proof", key.id, CHALLENGE_NAME)
            challenge = self._challenge(state, key)
            bench.backup_keys.prove_minisign(
                key_file, passphrase, key.public_key, challenge, comment
            )
            line = bench.minisign.import_key(key_file, passphrase)
        if line != key.public_key:
            raise UntrustedKey(
                "CUS-4/other-key",
                f"The vault holds another key under the ID {key.id}.",
                "Discard this, and restore into a new vault.",
            )
        return state


class RestoreOpenPgp(_RestoreKey):
    """Primary and subkeys; with them the revocation certificates, if they can be opened."""

    id = "restore-gpg"
    title = "Restore the OpenPGP key"
    _algorithm = Algorithm.OPENPGP

    def _restore(
        self, state: RestoreState, key: RegisteredKey, passphrase: Secret, progress: Progress
    ) -> RestoreState:
        bench, files = self._bench, self._media.first(state).files
        progress.say(Line("OpenPGP key: this takes some seconds"))
        if key.id in bench.openpgp.stray(()) and bench.openpgp.is_whole(key.id):
            bench.openpgp.adopt(key.id, passphrase)
        else:
            bench.openpgp.discard(key.id)  # whose import was cut short
            secret, certificate = files[OPENPGP_SECRET_NAME], key.public_key
            challenge = self._challenge(state, key)
            bench.backup_keys.prove_openpgp(secret, certificate, key.id, passphrase, challenge)
            bench.openpgp.import_key(secret, passphrase, certificate)
        kept = _keep_revocations(bench, key.id, files, passphrase)
        progress.say(Line(kept, label="revocations"))
        return msgspec.structs.replace(state, revocations=kept)


def _keep_revocations(
    bench: Workbench, fingerprint: str, files: Mapping[str, bytes], passphrase: Secret
) -> str:
    """Take the two certificates over where they open and do what they say; what became of them."""
    if REVOCATIONS_NAME not in files:
        return "there are none on this medium"
    try:
        packed = bench.backup_keys.decrypt(files[REVOCATIONS_NAME], passphrase)
        certificates = unpack_revocations(packed)
        for block in certificates.values():
            bench.openpgp_life.check_revocation(fingerprint, block)
    except SignerError as error:  # a key without them is better than none
        return f"not taken over: {error.summary}"
    bench.revocations.save(fingerprint, certificates)
    return "both taken over"


class Restore(RestoreStep):
    """The journal takes the place of the new vault's own; then the registry is stored."""

    id = "restore"
    title = "Journal and registry"
    commit_point = True

    def done(self, state: RestoreState) -> bool:
        return state.restored

    def pages(self, state: RestoreState) -> Sequence[Page]:
        return (Page("What will be restored", tuple(self._lines(state))),)

    def _lines(self, state: RestoreState) -> Iterator[Line]:
        newest = self._media.newest(state)
        for key_id in state.imported:
            yield Line(key_id, label="key")
        yield Line(f"{newest.registry.serial}, {len(newest.registry.keys)} keys", label="registry")
        yield Line(f"{len(newest.entries)} entries", label="journal")
        for number in state.rotated_since:
            yield Line(f"A KEY WAS ROTATED SINCE (set {number:06})", mark=Mark.FAIL)
        if state.missing:
            yield Line(f"{state.missing} ENTRIES ARE MISSING", label="journal", mark=Mark.FAIL)
        elif not state.head:
            yield Line("nobody knows whether it is the newest", mark=Mark.WARN)
        yield Line()
        yield Line("The journal of this new vault, which holds its birth only, gives place to it.")

    def question(self, state: RestoreState) -> Question:
        return Proceed("restore", "Restore them?")

    def act(self, state: RestoreState, answer: Answer, progress: Progress) -> RestoreState:
        bench, newest = self._bench, self._media.newest(state)
        mine = bench.journal.entries()
        length = len(newest.entries)
        if bench.registry_store.load():
            if not _is_told(bench, length):
                raise not_new()
            return msgspec.structs.replace(state, restored=True)
        if bench.clock.now() < newest.entries[-1].time:
            raise PolicyRefused(
                "POL-8/clock",
                "The clock says that the last entry of the journal is not past yet.",
                "Set the clock right.",
            )
        ceremonies = newest.ceremonies
        # Each of these may have been done before a crash: what is done is not done again.
        if len(mine) <= 1:
            bench.journal.take_over(b"".join(encode_entry(entry) for entry in newest.entries))
        elif mine[:length] != newest.entries:
            raise not_new()
        progress.say(Line(f"{length} entries", label="journal", mark=Mark.OK))
        if not _is_told(bench, length):
            bench.journal.append(CUSTODY_RESTORED, msgspec.to_builtins(self._facts(state)))
        for ceremony, files in ceremonies.items():
            bench.ceremonies.save(ceremony, files)
        bench.registry_store.save(newest.registry_files)
        progress.say(Line(f"{newest.registry.serial}", label="registry", mark=Mark.OK))
        return msgspec.structs.replace(state, restored=True)

    def _facts(self, state: RestoreState) -> RestoredFacts:
        first, newest = self._media.first(state), self._media.newest(state)
        return RestoredFacts(
            custodian=first.facts.custodian,
            medium=first.facts.medium,
            set_number=first.facts.number,
            keys=tuple(
                KeyName(algorithm=key.algorithm, id=key.id)
                for key in first.facts.keys
                if key.id in state.imported
            ),
            registry_serial=newest.registry.serial,
            journal_n=newest.entries[-1].n,
            journal_hash=newest.entries[-1].hash,
            compared_with=state.head or "",
            missing=state.missing,
            born_as=state.born_as,
            command=f"backup restore {state.directory}",
        )


def _is_told(bench: Workbench, length: int) -> bool:
    """Whether the entry behind the medium's ``length`` ones says that they were restored."""
    entries = bench.journal.entries()
    return len(entries) == length + 1 and entries[length].event == CUSTODY_RESTORED
