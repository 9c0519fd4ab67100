"""The pictures of ``make shots``: a capture becomes a picture of just what it says."""

import pkgutil
import re
import xml.etree.ElementTree as ET
from importlib import import_module
from pathlib import Path

import pytest

from pai_signer.faces.tui import screens
from pai_signer.faces.tui.screens.frame import Frame
from tests.shots.capture import CONSOLE_PALETTE, Cell, Style, indexed, read_capture
from tests.shots.gallery import gallery
from tests.shots.listed import PICTURES, SHOTS
from tests.shots.modes import MODES, Look, Tube, contrast, look_of
from tests.shots.svg import CELL_HEIGHT, CELL_WIDTH, svg, written

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"
INK, GROUND = (200, 200, 200), (1, 2, 3)
TUBE = Tube(INK, GROUND)
VT220 = Tube(INK, GROUND, has_colours=False)
CONSOLE = Tube(INK, GROUND, bold_is_bright=True)


def style_of(sgr: str) -> Style:
    ((cell,),) = read_capture(f"\x1b[{sgr}mx")
    return cell.style


def drawn(capture: str, tube: Tube = TUBE, title: str = "A title") -> list[ET.Element]:
    """The elements on the terminal's own ground, in their order."""
    root = ET.fromstring(svg(read_capture(capture), tube, title))
    (screen,) = root.findall(f"{SVG}g/{SVG}g")
    return list(screen)


def texts(capture: str, tube: Tube = TUBE) -> list[tuple[str, str, str, str]]:
    """Column, row, colour and letters of each text."""
    return [
        (
            str(int(e.attrib["x"]) // CELL_WIDTH),
            str(int(e.attrib["y"]) // CELL_HEIGHT),
            e.attrib["fill"],
            e.text or "",
        )
        for e in drawn(capture, tube)
        if e.tag == f"{SVG}text"
    ]


def rects(capture: str, tube: Tube = TUBE) -> list[tuple[int, int, int, int, str]]:
    """Place, size and colour of each rectangle."""
    found = []
    for element in drawn(capture, tube):
        if element.tag == f"{SVG}rect":
            x, y, width, height = (int(element.attrib[n]) for n in ("x", "y", "width", "height"))
            found.append((x, y, width, height, element.attrib["fill"]))
    return found


# --- captures ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sgr", "style"),
    [
        ("31", Style(ink=(170, 0, 0), base_ink=1)),
        ("97", Style(ink=(255, 255, 255))),
        ("44", Style(ground=(0, 0, 170))),
        ("103", Style(ground=(255, 255, 85))),
        ("38;2;1;2;3", Style(ink=(1, 2, 3))),
        ("48;2;1;2;3;1", Style(ground=(1, 2, 3), bold=True)),
        ("38;5;9", Style(ink=(255, 85, 85))),
        ("38;5;16;48;5;231", Style(ink=(0, 0, 0), ground=(255, 255, 255))),
        ("48;5;232", Style(ground=(8, 8, 8))),
        ("38;5;255", Style(ink=(238, 238, 238))),
        ("38;5;208", Style(ink=(255, 135, 0))),
        ("1;2;3;4;7", Style(bold=True, dim=True, italic=True, underline=True, reverse=True)),
        ("4:3", Style(underline=True)),  # a kind of underline, not italics as well
        ("1;22", Style()),
        ("3;4;7;23;24;27", Style()),
        ("31;39;44;49", Style()),
        ("31;1;0", Style()),
        ("31;", Style()),  # a parameter left out is 0
        ("5;8;53", Style()),  # what no screen uses is let pass
    ],
)
def test_every_attribute_of_a_capture_is_read(sgr: str, style: Style) -> None:
    assert style_of(sgr) == style


def test_the_cube_and_the_greys_are_those_of_xterm() -> None:
    assert tuple(map(indexed, range(16))) == CONSOLE_PALETTE
    assert [indexed(n) for n in (16, 21, 46, 196, 231)] == [
        (0, 0, 0),
        (0, 0, 255),
        (0, 255, 0),
        (255, 0, 0),
        (255, 255, 255),
    ]


def test_colours_last_over_the_end_of_a_line_and_blank_cells_count() -> None:
    red = Style(ink=(170, 0, 0), base_ink=1)
    assert read_capture("\x1b[31ma\nb \x1b[0m\n\n") == [
        [Cell("a", red)],
        [Cell("b", red), Cell(" ", red)],
        [],
    ]


def test_wide_letters_take_two_columns_and_marks_none() -> None:
    assert read_capture("漢e\u0301x") == [
        [Cell("漢", Style(), 2), Cell("e\u0301", Style()), Cell("x", Style())]
    ]


def test_other_escapes_are_dropped_whole() -> None:
    assert read_capture("a\x1b[2Jb\x1b(0c\x0e\x0f\x1b[?25ld") == [
        [*(Cell(char, Style()) for char in "abcd")]
    ]


# --- what a terminal makes of it --------------------------------------------------------------


@pytest.mark.parametrize(
    ("sgr", "tube", "look"),
    [
        ("", TUBE, Look(INK, GROUND)),
        ("31;44", TUBE, Look((170, 0, 0), (0, 0, 170))),
        ("7", TUBE, Look(GROUND, INK)),
        ("7;31", TUBE, Look(GROUND, (170, 0, 0))),
        ("1;3;4", TUBE, Look(INK, GROUND, bold=True, italic=True, underline=True)),
        ("2", TUBE, Look((100, 101, 101), GROUND)),
        ("1;31", TUBE, Look((170, 0, 0), GROUND, bold=True)),
        ("1;31", CONSOLE, Look((255, 85, 85), GROUND)),
        ("1", CONSOLE, Look((255, 255, 255), GROUND)),
        ("1;91", CONSOLE, Look((255, 85, 85), GROUND)),
        ("1;7;31", CONSOLE, Look(GROUND, (255, 85, 85))),
        ("31;44;2;3", VT220, Look(INK, GROUND)),
        ("1;4;7;31", VT220, Look(GROUND, INK, bold=True, underline=True)),
    ],
)
def test_each_kind_of_terminal_shows_what_it_can(sgr: str, tube: Tube, look: Look) -> None:
    assert look_of(style_of(sgr), tube) == look


def test_the_modes_are_those_that_the_app_tells_apart() -> None:
    assert len({mode.name for mode in MODES}) == len(MODES) == 4
    assert [mode.environ for mode in MODES if "NO_COLOR" in mode.environ] == [{"NO_COLOR": "1"}]
    assert [m.term for m in MODES if not m.tube.has_colours] == ["vt220"]
    assert [m.term for m in MODES if m.lat15] == ["linux", "vt220"]


def test_contrast_is_that_of_wcag() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)
    assert contrast((5, 6, 7), (5, 6, 7)) == 1


# --- pictures ---------------------------------------------------------------------------------


def test_runs_of_one_colour_are_texts_on_their_columns() -> None:
    assert texts("  ab \x1b[31mcd\x1b[0m e\n f") == [
        ("2", "0", "#c8c8c8", "ab"),
        ("5", "0", "#aa0000", "cd"),
        ("8", "0", "#c8c8c8", "e"),
        ("1", "1", "#c8c8c8", "f"),
    ]


def test_each_text_is_as_long_as_its_columns_whatever_the_font() -> None:
    for element in drawn("abc \x1b[1m漢\x1b[0mde\u0301f"):
        columns = {"abc": 3, "漢": 2, "d": 1, "e\u0301": 1, "f": 1}[element.text or ""]
        assert element.attrib["textLength"] == str(columns * CELL_WIDTH)
        assert ("font-weight" in element.attrib) is (element.text == "漢")


def test_a_letter_behind_a_wide_one_stands_two_columns_on() -> None:
    assert [(column, text) for column, _, _, text in texts("漢字x")] == [
        ("0", "漢"),
        ("2", "字"),
        ("4", "x"),
    ]


def test_grounds_are_drawn_under_all_cells_and_reverse_is_seen_without_colours() -> None:
    capture = "a\x1b[7m b\x1b[0m"
    for tube in (TUBE, VT220):
        assert rects(capture, tube) == [(CELL_WIDTH, 0, 2 * CELL_WIDTH, CELL_HEIGHT, "#c8c8c8")]
        assert texts(capture, tube)[1] == ("2", "0", "#010203", "b")
    assert rects("\x1b[44m  \x1b[45m \x1b[0m") == [
        (0, 0, 2 * CELL_WIDTH, CELL_HEIGHT, "#0000aa"),
        (2 * CELL_WIDTH, 0, CELL_WIDTH, CELL_HEIGHT, "#aa00aa"),
    ]
    assert rects("\x1b[44m  \x1b[0m", VT220) == []


def test_blocks_and_lines_meet_because_they_are_drawn() -> None:
    half = CELL_HEIGHT // 2
    assert rects("██▀▄") == [
        (0, 0, 2 * CELL_WIDTH, CELL_HEIGHT, "#c8c8c8"),
        (2 * CELL_WIDTH, 0, CELL_WIDTH, half, "#c8c8c8"),
        (3 * CELL_WIDTH, half, CELL_WIDTH, half, "#c8c8c8"),
    ]
    assert rects("───") == [(0, half, 3 * CELL_WIDTH, 1, "#c8c8c8")]
    assert len(rects("┌┐\n││\n└┘")) == 2 * 2 + 2 * 2 + 2 * 2
    assert texts("┌─┐│└┘█▀▄") == []


def test_an_underline_is_seen_under_spaces_too() -> None:
    assert rects("\x1b[4m  \x1b[0m") == [(0, CELL_HEIGHT - 2, 2 * CELL_WIDTH, 1, "#c8c8c8")]


HOSTILE = "</text><script>alert(1)</script>&amp;\"'<!--]]>"


def test_what_stands_on_the_screen_is_never_markup() -> None:
    assert [text for *_, text in texts(HOSTILE)] == [HOSTILE]
    root = ET.fromstring(svg(read_capture(HOSTILE), TUBE, HOSTILE))
    assert {e.tag.removeprefix(SVG) for e in root.iter()} == {"svg", "g", "title", "rect", "text"}
    assert root.findtext(f"{SVG}title") == HOSTILE
    assert "<script" not in svg(read_capture(HOSTILE), TUBE, HOSTILE)


@pytest.mark.parametrize("char", ["\0", "\x07", "\x1f", "\ud800", "\ufffe", "\uffff"])
def test_what_xml_cannot_hold_is_replaced(char: str) -> None:
    assert written(f"a{char}b") == "a\ufffdb"
    ET.fromstring(svg([[Cell(char, Style())]], TUBE, char))


def test_a_picture_of_the_same_screen_is_the_same() -> None:
    rows = read_capture("\x1b[31ma\x1b[0m")
    assert svg(rows, TUBE, "x") == svg(rows, TUBE, "x")


# --- the list ---------------------------------------------------------------------------------


def screen_classes() -> set[type[Frame]]:
    """Every screen of the app but those that only others are made from."""
    for module in pkgutil.iter_modules(screens.__path__, f"{screens.__name__}."):
        import_module(module.name)
    found: set[type[Frame]] = set()
    left: list[type[Frame]] = [Frame]
    while left:
        for derived in left.pop().__subclasses__():
            if derived.__module__.startswith(screens.__name__):
                left.append(derived)
                found.add(derived)
    return {each for each in found if not is_abstract(each)}


def is_abstract(screen: type[Frame]) -> bool:
    """Textual's metaclass does not ask; the mark of ``abstractmethod`` is there all the same."""
    members = (getattr(screen, name, None) for name in dir(screen))
    return any(getattr(member, "__isabstractmethod__", False) for member in members)


def test_every_screen_of_the_app_has_a_shot() -> None:
    classes = screen_classes()
    assert len(classes) > 8
    assert {shot.screen for shot in SHOTS} >= classes


def test_a_shot_has_a_name_of_its_own_and_is_known_by_its_texts() -> None:
    names = [shot.name for shot in SHOTS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z-]+", name) for name in names)
    assert all(shot.shows for shot in SHOTS)


def test_every_shot_is_taken_by_a_tour() -> None:
    source = (Path(__file__).parent / "tours.py").read_text()
    missing = [shot.name for shot in SHOTS if f'"{shot.name}"' not in source]
    assert missing == []


def test_the_gallery_shows_the_pictures_that_are_there(tmp_path: Path) -> None:
    there = (tmp_path / MODES[0].name / f"{SHOTS[0].name}.svg", tmp_path / MODES[1].name / "x.svg")
    for path in there:
        path.parent.mkdir()
        path.touch()
    page = gallery(tmp_path)
    assert re.findall(r'src="([^"]*)"', page) == [f"{MODES[0].name}/{SHOTS[0].name}.svg"]


# --- the README -------------------------------------------------------------------------------


def test_the_readme_shows_the_pictures_that_are_kept_and_says_what_they_show() -> None:
    readme = (ROOT / "README.md").read_text()
    shown = re.findall(r"!\[([^\]]+)\]\(pictures/([a-z-]+)\.svg\)", readme)
    assert len(shown) == readme.count("![")
    assert all(len(alt) > 20 for alt, _ in shown)
    names = [name for _, name in shown]
    kept = sorted(path.name for path in (ROOT / "pictures").iterdir())
    assert sorted(f"{name}.svg" for name in names) == kept
    assert set(names) == set(PICTURES)


@pytest.mark.parametrize("path", sorted((ROOT / "pictures").iterdir()), ids=lambda path: path.name)
def test_a_kept_picture_names_nothing_of_the_machine_that_took_it(path: Path) -> None:
    root = ET.fromstring(path.read_text())
    said = " ".join(root.itertext())
    assert root.findtext(f"{SVG}title") == {s.name: s.title for s in SHOTS}[path.stem]
    assert not re.search(r"/(tmp|home|root|work)\b|CONNECTED", said)
