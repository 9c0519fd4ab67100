"""A new passphrase is offered on the screen, and stands nowhere else (KEY-1, SEC-2)."""

from dataclasses import dataclass, field

from pai_signer.adapters.passphrases import WordListPassphrases
from pai_signer.domain.secret import Secret
from pai_signer.faces.tui.widgets.offered_words import OfferedWords
from tests.tui.driving import Driven, driven
from tests.tui.fake_desk import FakeDesk


@dataclass
class Remembering(WordListPassphrases):
    """The strict judge; remembers what it offered, as no program may."""

    offered: list[str] = field(default_factory=list)
    secrets: list[Secret] = field(default_factory=list)

    def offer(self) -> Secret:
        words = super().offer()
        self.offered.append(words.reveal().decode())
        self.secrets.append(words)
        return words


async def to_the_offer(it: Driven, new: Remembering) -> str:
    it.desk.world.new = new
    await it.begin()
    await it.to_passphrase()
    await it.until("Write these words on paper now", new.offered[-1])
    return new.offered[-1]


async def test_words_stand_above_the_field_and_are_hidden_for_the_second_time() -> None:
    desk, new = FakeDesk(), Remembering()
    async with driven(desk) as it:
        words = await to_the_offer(it, new)
        rows = it.screen().split("\n")
        offered = next(n for n, row in enumerate(rows) if words in row)
        assert offered < next(n for n, row in enumerate(rows) if "┌" in row)
        await it.write(words)
        await it.press("enter")
        shown = await it.until("Type the same passphrase once more.", "again:")
        assert words not in shown
        assert words.split()[0] not in shown
        await it.write(words)
        await it.press("enter")
        await it.until("Done.")
        assert words not in it.screen()
        assert desk.world.entered == [words.encode()]
        assert len(new.offered) == 1
        assert all(secret.is_empty for secret in new.secrets)


async def test_what_differs_is_typed_anew_and_the_words_are_back() -> None:
    new = Remembering()
    async with driven(FakeDesk()) as it:
        words = await to_the_offer(it, new)
        for text in (words, "not what stands on the paper"):
            await it.write(text)
            await it.press("enter")
        await it.until("The two were not the same.", words)
        assert new.offered == [words]


async def test_a_weak_one_is_refused_with_the_reason_and_an_own_one_is_taken() -> None:
    desk, new = FakeDesk(), Remembering()
    own = "unwed 7 tapestry vocal grub elf"
    async with driven(desk) as it:
        words = await to_the_offer(it, new)
        await it.write("correct horse battery staple")
        await it.press("enter")
        shown = await it.until("Too weak: it is only 4 words or numbers; 6 random words are")
        assert words in shown
        assert desk.world.entered == []
        await it.enter_passphrase(own)
        await it.until("Done.")
        assert desk.world.entered == [own.encode()]


async def test_the_lock_takes_the_words_away_and_others_are_offered_after_it() -> None:
    new = Remembering()
    async with driven(FakeDesk()) as it:
        words = await to_the_offer(it, new)
        await it.press("f8")
        shown = await it.until("Locked")
        assert words.split()[0] not in shown
        assert new.secrets[0].is_empty
        await it.press("enter")
        await it.until("Write these words on paper now")
        assert len(new.offered) == 2
        assert new.offered[1] in it.screen()
        assert words not in it.screen()


async def test_going_back_takes_them_away() -> None:
    new = Remembering()
    async with driven(FakeDesk()) as it:
        words = await to_the_offer(it, new)
        await it.press("escape")
        shown = await it.until("Type v0.2.0")
        assert words not in shown
        assert all(secret.is_empty for secret in new.secrets)


async def test_no_text_of_more_than_a_letter_is_ever_drawn_from_them() -> None:
    """Caches of Textual and Rich keep the texts of segments, and nobody wipes them."""
    new = Remembering()
    async with driven(FakeDesk()) as it:
        await to_the_offer(it, new)
        strip = it.app.screen.query_one(OfferedWords).render_line(0)
        assert {len(segment.text) for segment in strip} == {1}
        for message in it.messages:
            assert new.offered[0] not in repr(message)
