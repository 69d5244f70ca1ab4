"""Figures of README and docs, filled in from the rows of `benchmarks/results/*.json`.

    python tools/figures.py            fills in every page (`make figures`)
    python tools/figures.py --check    only says which pages are not up to date

A page marks a figure by a pair of comments, which are shown neither on the repository's host nor on the site:

    a view takes <!--= cpu.render.ms .0f -->30 ms<!--/-->     the row's name, then how it is written (`Format`)
    against <!--~ Fused-Planes, Table 2 -->27.71 dB<!--/-->   somebody else's figure, or a limit: where it is from

What stands between the comments of the first kind is replaced, of the second kind it is left alone. There is no
arithmetic: a ratio or a difference that is quoted is a row of its own.
"""

import argparse
import difflib
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt  # what rich, and so this package, reads Markdown with

from manyfields.errors import ManyfieldsError
from manyfields.evaluation.record import Record, read_records

ROOT = Path(__file__).resolve().parents[1]
RESULTS = "benchmarks/results"

MARK = re.compile(r"<!--(?P<kind>[=~])(?P<says>.*?)-->(?P<shown>.*?)<!--/-->")
HALF = re.compile(r"<!--\s*(?:[=~](?P<says>.*?)(?:-->|$)|/\s*-->)")
# Where a comment would make all of its line HTML: at its start, also after what makes a list or a quotation of it.
AT_START = re.compile(r"\s*(?:(?:>|[-*+]|\d+[.)])\s+)*$")
CODE = re.compile(r"(?<!`)(`+)(?!`)(?:.+?)(?<!`)\1(?!`)", re.DOTALL)
DIGITS = re.compile(r"(?P<comma>,?)(?:\.(?P<number>\d+)(?P<kind>[fg])|d)")

FORMATS = ".1f .2g d ,d bytes kB MB GB bare signed negated null=TEXT"
SCALES = ("bytes", "kB", "MB", "GB", "TB")
# Units that no one writes after a number: the sentence or the heading says what is counted.
NOT_WRITTEN = {
    "",
    "1/1000 of the diagonal",
    "FID",
    "feature distance",
    "median over held-out median",
    "numbers",
    "ratio",
    "squared units",
    "squeeze",
}
WRITTEN = {"x": " times", "%": " %"}


@dataclass(frozen=True)
class Format:
    """How a row's value is written: words after the row's name, in any order, `null=` last.

    - `.1f` digits after the point, `.2g` significant digits, `d` none; `,d` and `,.0f` with commas between thousands.
      Whole numbers are `,d` unless told, sizes in bytes `.3g`; others have to say.
    - `bytes`, `kB`, `MB`, `GB`: the unit of a size in bytes, else the one that leaves one to three digits before the
      point. A size below 1000 is in whole bytes.
    - `bare`: without the unit, for columns whose heading names it. The unit `x` is written "times", a share in percent.
    - `signed`: with a plus, too; `negated`: what is stored as a change of -0.2 dB is a loss of 0.2 dB.
    - `null=not measured`: what stands there where the row has no value, which is an error without this.
    """

    digits: str = ""
    scale: str = ""
    bare: bool = False
    signed: bool = False
    negated: bool = False
    null: str | None = None

    @classmethod
    def parse(cls, words: str) -> "Format":
        """Raises ValueError for a word that is none of these, or stands there twice."""
        words, equals, null = words.partition("null=")
        found: dict[str, str | bool | None] = {}
        for word in words.split():
            if DIGITS.fullmatch(word):
                name, value = "digits", word
            elif word in SCALES:
                name, value = "scale", word
            elif word in ("bare", "signed", "negated"):
                name, value = word, True
            else:
                raise ValueError(f"{word!r} is no format; {FORMATS} are")
            if name in found:
                raise ValueError(f"{word!r} is one format too many")
            found[name] = value
        if equals:
            if not null.strip():
                raise ValueError("null= wants the text that stands there without a value")
            found["null"] = null.strip()
        return cls(**found)  # type: ignore[arg-type]

    def show(self, value: float | int | str | None, unit: str) -> str:
        """A value as a page has it. Raises ValueError for what cannot be written so."""
        if value is None:
            if self.null is None:
                raise ValueError("the row has no value; say null=TEXT, or leave it out")
            return self.null
        if isinstance(value, str):
            return value
        if self.scale and unit != "bytes":
            raise ValueError(f"{self.scale} is for sizes in bytes, and the row's unit is {unit!r}")
        value = -value if self.negated else value
        if unit == "bytes":
            return self._size(value)
        if unit.split()[:1] == ["share"]:
            return self._number(100 * value) + ("" if self.bare else " %")
        after = "" if unit in NOT_WRITTEN else WRITTEN.get(unit, f" {unit}")
        return self._number(value) + ("" if self.bare else after)

    def _size(self, value: float) -> str:
        scales = [self.scale] if self.scale else SCALES
        for scale in scales:
            power = SCALES.index(scale)
            number = self._number(value / 1000**power, ".3g" if power else ",d", own=power > 0 or bool(self.scale))
            if abs(float(number.replace(",", ""))) < 1000:
                break
        if self.bare:
            return number
        return f"{number} byte" if scale == "bytes" and number.lstrip("+-") == "1" else f"{number} {scale}"

    def _number(self, value: float, usual: str = "", own: bool = True) -> str:
        digits = (own and self.digits) or usual or (",d" if isinstance(value, int) else "")
        if not digits:
            raise ValueError(f"{value!r} wants a number of digits, .1f say")
        how = DIGITS.fullmatch(digits)
        assert how is not None
        places = int(how["number"] or 0)
        if how["kind"] == "g":
            places = _places(value, max(places, 1))
        text = f"{round(value, places) if places < 0 else value:{how['comma']}.{max(places, 0)}f}"
        if not re.search("[1-9]", text):
            return text.lstrip("-")
        return f"+{text}" if self.signed and value > 0 else text


def _places(value: float, significant: int) -> int:
    """Places after the point that leave so many significant digits after rounding."""
    return significant - 1 - int(f"{value:.{significant - 1}e}".partition("e")[2]) if math.isfinite(value) else 0


def fill(text: str, rows: Mapping[str, Record], page: str) -> tuple[str, list[str]]:
    """A page with the figures that its marks ask for, and a line for each mark that cannot be filled in.

    Examples:
        >>> row = new_record("vehicles.psnr", 35.19, "dB")
        >>> fill("It reaches <!--= vehicles.psnr .1f -->?<!--/-->.", {row.name: row}, "README.md")
        ('It reaches <!--= vehicles.psnr .1f -->35.2 dB<!--/-->.', [])
    """
    lines, problems = text.split("\n"), []
    for number, seen in enumerate(without_code(text).split("\n")):
        line, done, place = lines[number], "", 0
        for mark in MARK.finditer(seen):
            if HALF.search(mark["shown"]) or HALF.search(seen, place, mark.start()):
                break
            done += line[place : mark.start("shown")]
            place = mark.start("shown")
            try:
                done += _shown(mark, seen, rows)
                place = mark.end("shown")
            except ValueError as error:
                name = mark["says"].strip().partition(" ")[0] if mark["kind"] == "=" else mark["says"].strip()
                problems.append(f"{page}:{number + 1}: {name or 'a mark'}: {error}")
            done += line[place : mark.end()]
            place = mark.end()
        if half := HALF.search(seen, place):
            name = (half["says"] or "").strip().partition(" ")[0] or "a mark"
            whole = "one line has <!--= NAME --> or <!--~ SOURCE -->, and <!--/-->"
            problems.append(f"{page}:{number + 1}: {name}: {whole}")
        lines[number] = done + line[place:]
    return "\n".join(lines), problems


def _shown(mark: re.Match[str], line: str, rows: Mapping[str, Record]) -> str:
    """What stands inside a mark. Raises ValueError for a mark that cannot be."""
    before = line[: mark.start()]
    if AT_START.match(before):
        raise ValueError("a mark that begins a line makes HTML of it; put a word before it")
    if before.lstrip().startswith("#"):
        raise ValueError("a heading has no figures; links to it would change with them")
    if "|" in mark["says"] and before.lstrip().startswith("|"):
        raise ValueError("a | inside of a mark ends the table's cell")
    if mark["kind"] == "~":
        if not mark["says"].strip():
            raise ValueError("say where the figure is from: <!--~ Fused-Planes, Table 2 -->")
        if not mark["shown"].strip():
            raise ValueError("what is quoted has to stand there")
        return mark["shown"]
    name, _, words = mark["says"].strip().partition(" ")
    if name not in rows:
        near = difflib.get_close_matches(name, rows, 1)
        raise ValueError(f"no row of {RESULTS}/*.json has this name" + (f"; is it {near[0]}?" if near else ""))
    return Format.parse(words).show(rows[name].value, rows[name].unit)


def without_code(text: str) -> str:
    """A page with spaces in the place of its code, every other character where it was."""
    lines = text.split("\n")
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type in ("fence", "code_block") and token.map:
            for number in range(*token.map):
                lines[number] = " " * len(lines[number])
    # Code inside of a line ends before the next blank line, or in its cell of a table.
    pieces = re.split(r"(\n[ \t]*\n|\n(?=[ \t]*\|))", "\n".join(lines))
    return "".join(CODE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), piece) for piece in pieces)


def pages(root: Path = ROOT) -> list[Path]:
    """The pages that figures are filled in on."""
    found = [*root.glob("README.md"), *root.glob("CONTRIBUTING.md"), *root.glob("docs/**/*.md")]
    return sorted([*found, *root.glob("benchmarks/**/*.md")])


def all_rows(root: Path = ROOT) -> dict[str, Record]:
    """Every row of record by its name, drafts left out. Raises ManyfieldsError for a name that two files have."""
    rows: dict[str, Record] = {}
    for path in sorted((root / RESULTS).glob("*.json")):
        for row in read_records(path) if not path.name.endswith(".draft.json") else []:
            if row.name in rows:
                raise ManyfieldsError(f"{path.relative_to(root)}: {row.name} stands in another file too; rename one")
            rows[row.name] = row
    return rows


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a page is not up to date")
    arguments = parser.parse_args(argv)
    try:
        rows = all_rows(root)
    except ManyfieldsError as error:
        print(error, file=sys.stderr)
        return 1
    wrong: list[str] = []
    for path in pages(root):
        page = path.relative_to(root).as_posix()
        text = path.read_bytes().decode()
        filled, problems = fill(text, rows, page)
        wrong += problems
        if filled != text and arguments.check:
            wrong.append(f"{page}: not up to date, run make figures")
        elif filled != text:
            path.write_bytes(filled.encode())
            print(f"{page}: filled in")
    print(*wrong, sep="\n", end="\n" if wrong else "", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
