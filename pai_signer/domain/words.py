"""The PGP word list: bytes as words for reading aloud (REV-1, JRN-1).

Two lists of 256 words, chosen to be told apart by ear: bytes at even positions take a
word of two syllables, bytes at odd positions one of three. So a word that was dropped,
doubled or swapped with its neighbour shows at once, by the wrong kind at its position.

Source: P. Juola and P. Zimmermann, "Whole-Word Phonetic Distances and the PGPfone
Alphabet", Proc. ICSLP 1996; the lists and their spelling as PGPfone published them.
"""

from collections.abc import Iterable
from typing import Final

from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError

#: By byte value, for positions 0, 2, 4, ...: two syllables.
EVEN_WORDS: Final = tuple(
    """
    aardvark absurd accrue acme adrift adult afflict ahead aimless Algol allow alone ammo
    ancient apple artist assume Athens atlas Aztec baboon backfield backward banjo beaming
    bedlamp beehive beeswax befriend Belfast berserk billiard bison blackjack blockade blowtorch
    bluebird bombast bookshelf brackish breadline breakup brickyard briefcase Burbank button
    buzzard cement chairlift chatter checkup chisel choking chopper Christmas clamshell classic
    classroom cleanup clockwork cobra commence concert cowbell crackdown cranky crowfoot crucial
    crumpled crusade cubic dashboard deadbolt deckhand dogsled dragnet drainage dreadful drifter
    dropper drumbeat drunken Dupont dwelling eating edict egghead eightball endorse endow enlist
    erase escape exceed eyeglass eyetooth facial fallout flagpole flatfoot flytrap fracture
    framework freedom frighten gazelle Geiger glitter glucose goggles goldfish gremlin guidance
    hamlet highchair hockey indoors indulge inverse involve island jawbone keyboard kickoff kiwi
    klaxon locale lockup merit minnow miser Mohawk mural music necklace Neptune newborn
    nightbird Oakland obtuse offload optic orca payday peachy pheasant physique playhouse Pluto
    preclude prefer preshrunk printer prowler pupil puppy python quadrant quiver quota ragtime
    ratchet rebirth reform regain reindeer rematch repay retouch revenge reward rhythm ribcage
    ringbolt robust rocker ruffled sailboat sawdust scallion scenic scorecard Scotland seabird
    select sentence shadow shamrock showgirl skullcap skydive slingshot slowdown snapline
    snapshot snowcap snowslide solo southward soybean spaniel spearhead spellbind spheroid
    spigot spindle spyglass stagehand stagnate stairway standard stapler steamship sterling
    stockman stopwatch stormy sugar surmount suspense sweatband swelter tactics talon tapeworm
    tempest tiger tissue tonic topmost tracker transit trauma treadmill Trojan trouble tumor
    tunnel tycoon uncut unearth unwind uproot upset upshot vapor village virus Vulcan waffle
    wallet watchword wayside willow woodlark Zulu
    """.split()  # noqa: SIM905 - 256 words as prose are read and compared; a literal list is not
)

#: By byte value, for positions 1, 3, 5, ...: three syllables.
ODD_WORDS: Final = tuple(
    """
    adroitness adviser aftermath aggregate alkali almighty amulet amusement antenna applicant
    Apollo armistice article asteroid Atlantic atmosphere autopsy Babylon backwater barbecue
    belowground bifocals bodyguard bookseller borderline bottomless Bradbury bravado Brazilian
    breakaway Burlington businessman butterfat Camelot candidate cannonball Capricorn caravan
    caretaker celebrate cellulose certify chambermaid Cherokee Chicago clergyman coherence
    combustion commando company component concurrent confidence conformist congregate consensus
    consulting corporate corrosion councilman crossover crucifix cumbersome customer Dakota
    decadence December decimal designing detector detergent determine dictator dinosaur
    direction disable disbelief disruptive distortion document embezzle enchanting enrollment
    enterprise equation equipment escapade Eskimo everyday examine existence exodus fascinate
    filament finicky forever fortitude frequency gadgetry Galveston getaway glossary gossamer
    graduate gravity guitarist hamburger Hamilton handiwork hazardous headwaters hemisphere
    hesitate hideaway holiness hurricane hydraulic impartial impetus inception indigo inertia
    infancy inferno informant insincere insurgent integrate intention inventive Istanbul Jamaica
    Jupiter leprosy letterhead liberty maritime matchmaker maverick Medusa megaton microscope
    microwave midsummer millionaire miracle misnomer molasses molecule Montana monument mosquito
    narrative nebula newsletter Norwegian October Ohio onlooker opulent Orlando outfielder
    Pacific pandemic Pandora paperweight paragon paragraph paramount passenger pedigree Pegasus
    penetrate perceptive performance pharmacy phonetic photograph pioneer pocketful politeness
    positive potato processor provincial proximate puberty publisher pyramid quantity racketeer
    rebellion recipe recover repellent replica reproduce resistor responsive retraction
    retrieval retrospect revenue revival revolver sandalwood sardonic Saturday savagery
    scavenger sensation sociable souvenir specialist speculate stethoscope stupendous supportive
    surrender suspicious sympathy tambourine telephone therapist tobacco tolerance tomorrow
    torpedo tradition travesty trombonist truncated typewriter ultimate undaunted underfoot
    unicorn unify universe unravel upcoming vacancy vagabond vertigo Virginia visitor vocalist
    voyager warranty Waterloo whimsical Wichita Wilmington Wyoming yesteryear Yucatan
    """.split()  # noqa: SIM905 - as above
)

_LISTS: Final = (EVEN_WORDS, ODD_WORDS)
_VALUES: Final = tuple(
    {word.casefold(): value for value, word in enumerate(words)} for words in _LISTS
)
_SYLLABLES: Final = ("two", "three")


def to_words(data: bytes) -> tuple[str, ...]:
    """One word for each byte of ``data``."""
    return tuple(_LISTS[position % 2][value] for position, value in enumerate(data))


def from_words(words: Iterable[str]) -> bytes:
    """The bytes that ``words`` stand for; capitals do not matter.

    Raises ``FormatError`` naming the first position, counted from 1, whose word is not in
    the list or is of the kind that belongs to the neighbouring positions. Words missing at
    the end cannot be seen here: the caller knows how many bytes it expects.
    """
    return bytes(_value(position, word) for position, word in enumerate(words))


def _value(position: int, word: str) -> int:
    heard = word.casefold()
    value = _VALUES[position % 2].get(heard)
    if value is not None:
        return value
    shown = safe_text(word, limit=40)
    if heard in _VALUES[(position + 1) % 2]:
        raise FormatError(
            "REV-1/word-out-of-place",
            f"Word {position + 1} ({shown}) does not belong at that position: a word of "
            f"{_SYLLABLES[position % 2]} syllables is due there.",
            "A word was left out, said twice or swapped just before it: read that part again.",
        )
    raise FormatError(
        "REV-1/word-unknown",
        f"Word {position + 1} ({shown}) is not in the PGP word list.",
        "Check its spelling, or ask for it to be read again.",
    )
