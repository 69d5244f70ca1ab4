"""Figures of README and docs are those of the rows, and none stands there without a row or a source."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.figures import MARK, main, pages, without_code

ROOT = Path(__file__).parents[1]

NO_ROW: dict[str, str] = {}
"""What pages say with a measured unit and without a row or a source, as "page: words", and the reason. Only shrinks."""

NO_FIGURE = {
    r"Python 3\.\d+": "a version",
    r"\b\d+ ?[x×] ?\d+(?: ?[x×] ?\d+)?\b": "a size of images, grids or rays a pixel",
    r"\bCC0\b|\b(?:CC-BY|Apache|MIT|BSD)[- ]\d(?:\.\d)?\b": "a licence",
    r"\b(?:b?float|u?int)\d+\b|\b\d+[- ]bits?\b": "a format of numbers",
    r"\b[23]D\b": "a word",
    r"\b[Ll]ayers? \d(?: (?:to|and|or) \d)?\b": "a name of a part of the bytes",
    r"\b[Ss]tages? [12]\b": "a name of a part of fitting",
    r"\b(?:SHA-256|CRC32C|H\d00|WebGL2|S3|KTX2)\b": "a name",
}
"""Digits of README that are no figures: what they look like, and what they are."""

NO_PROSE = (
    MARK,
    re.compile(r"<!--.*?-->", re.DOTALL),
    re.compile(r"!\[[^\]]*\]\([^)\s]*\)"),  # pictures
    re.compile(r"(?<=\])\([^)\s]*\)"),  # where links lead
    re.compile(r"https?://[^\s>)]+"),
    re.compile(r"</?\w[^>]*>"),
)

MEASURED = re.compile(
    r"(?<![\w.])[-+]?\d(?:[\d,.]*\d)?(?:\s(?:to|and|or)\s[-+]?\d(?:[\d,.]*\d)?)?"
    r"(?:[ -]?|\n *)(?:dB|[kMGT]i?B|bytes?|ms|s|seconds?|%|percent|times)(?!\w)"
)
NUMBER = re.compile(r"[*~<>≤≥]*[-+−]?\d[\d,.]*(?: ?(?:dB|[kMGT]B|bytes|ms|s|%|x|times))?\**")
OF_FIGURES = re.compile(
    r"\b(?:PSNR|SSIM|LPIPS|FID|BD-rate|dB|kB|MB|GB|bytes|ms|s|seconds|ratio|times|views/s|holes)\b|%", re.IGNORECASE
)

MARK_IT = (
    "write <!--= ROW .1f --><!--/--> and run make figures; or <!--~ SOURCE -->{}<!--/--> if it is a figure of others, "
    "a limit or a sum that anyone can redo; or say it without a number (CONTRIBUTING.md, Figures)"
)


def prose(text: str) -> str:
    """A page with spaces for all that is no sentence."""
    text = without_code(text)
    for none in NO_PROSE:
        text = none.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    return text


def test_prose_is_what_is_left_without_code_marks_and_addresses():
    text = "a `1` <!--= a.b -->2<!--/--> ![3](4.png) [5](6.md#7) <!--8\n9--> <br/> https://x.y/10 11\n\n    12\n"
    assert prose(text).split() == ["a", "[5]", "11"] and len(prose(text)) == len(text)


def digits(text: str) -> Iterator[tuple[int, str]]:
    """(line, number) for each number of a page that is no `NO_FIGURE`."""
    left = prose(text)
    for pattern in NO_FIGURE:
        left = re.sub(pattern, lambda match: " " * len(match[0]), left)
    for match in re.finditer(r"\d[\d,.]*(?<=\d)", left):
        yield left.count("\n", 0, match.start()) + 1, match[0]


def measured(text: str) -> Iterator[tuple[int, int, str]]:
    """(where, line, number) for each number of a page that is followed by a measured unit, or has a column of them."""
    left = prose(text)
    for match in MEASURED.finditer(left):
        yield match.start(), left.count("\n", 0, match.start()) + 1, " ".join(match[0].split())
    heading: list[str] = []
    place = 0
    for number, line in enumerate(left.split("\n"), 1):
        if not line.lstrip().startswith("|"):
            heading = []
        else:
            cells = line.strip().strip("|").split("|")
            heading = heading or cells
            for title, cell in zip(heading, cells, strict=False):
                if OF_FIGURES.search(title) and NUMBER.fullmatch(cell.strip()) and not MEASURED.search(cell):
                    yield place + line.index(cell), number, cell.strip()
        place += len(line) + 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a 35.2 dB, 3 to 4.5 kB and 12\nms b", ["35.2 dB", "3 to 4.5 kB", "12 ms"]),
        ("20 times, 17% or 0.4 %, 7.3 s each, -0.2\ndB", ["20 times", "17%", "0.4 %", "7.3 s", "-0.2 dB"]),
        ("3 objects, x16 times, `3 dB`, 128x128 pixels, 3 sets, 4 bytesize", []),
        ("a <!--= a.b .1f -->35.2 dB<!--/-->", []),
        ("| a | PSNR |\n|---|---|\n| 1 | **35.2** |\n| 2 | <!--= a.b bare -->3<!--/--> |\n\n| 3 | 4 |", ["**35.2**"]),
    ],
)
def test_measured_numbers_are_found(text, found):
    assert [number for _, _, number in measured(text)] == found


def test_digits_are_found():
    text = "Python 3.11 on 128x128 images, 2 x 2 rays, CC-BY 3.0, CC0; Stage 2, layer 0\nof 92, 35.2 and mip360 in 3D"
    assert list(digits(text)) == [(2, "92"), (2, "35.2"), (2, "360")]


def test_pages_are_up_to_date(capsys):
    code = main(["--check"])
    assert code == 0, capsys.readouterr().err


def checked() -> list[Path]:
    """Pages whose measured numbers have to be marked. The reference says how bytes are laid out, and has no results."""
    outside = ("docs/reference/", "CONTRIBUTING.md", "README.md")
    named = {page.relative_to(ROOT).as_posix(): page for page in pages(ROOT)}
    return [page for name, page in named.items() if not name.startswith(outside) or name.endswith("evaluation.md")]


def without_source(page: Path, excuses: dict[str, str]) -> tuple[list[str], set[str]]:
    """What a page says without a row or a source, and which excuses were used."""
    name, text = page.relative_to(ROOT).as_posix(), page.read_text(encoding="utf-8")
    left, used = prose(text), set()
    excused: dict[str, list[range]] = {}
    for each in excuses:
        at, _, words = each.partition(": ")
        if at == name:
            pattern = r"\s+".join(map(re.escape, words.split()))
            excused[each] = [range(*match.span()) for match in re.finditer(pattern, left)]
    problems = []
    for place, line, number in measured(text):
        allowed = {each for each, places in excused.items() if any(place in span for span in places)}
        used |= allowed
        if not allowed:
            problems.append(f"{name}:{line}: {number}: {MARK_IT.format(number)}")
    return problems, used


def test_measured_numbers_of_docs_have_a_row_or_a_source():
    problems, used = [], set()
    for page in checked():
        found, excused = without_source(page, NO_ROW)
        problems += found
        used |= excused
    assert not problems, "\n" + "\n".join(problems)
    unused = NO_ROW.keys() - used
    assert not unused, f"No page says this any more, take it off NO_ROW of test_figures.py: {sorted(unused)}"


def test_every_number_of_readme_is_a_row():
    found = list(digits((ROOT / "README.md").read_text(encoding="utf-8")))
    problems = [f"README.md:{line}: {number}: {MARK_IT.format(number)}" for line, number in found]
    assert not problems, "\n" + "\n".join(problems)
