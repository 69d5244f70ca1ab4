"""Figures of pages: how a row is written, what a mark may be, and that filling in twice changes nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfields.evaluation.record import Record, write_records
from tools.figures import Format, fill, main, without_code

NUMBERS = st.floats(-1e12, 1e12).filter(lambda value: value == 0 or abs(value) > 1e-6)


def row(name, value, unit):
    command = "python -m benchmarks.sets.vehicles"
    return Record(name, value, unit, command, "a machine", "2026-11-30T12:00:00Z", "b7cd8be01234")


ROWS: dict[str, Record] = {
    each.name: each
    for each in (
        row("vehicles.psnr", 35.19, "dB"),
        row("vehicles.loss", -0.23, "dB"),
        row("vehicles.object_bytes", 248889.0, "bytes"),
        row("vehicles.speed_of_one", None, "s"),
        row("vehicles.holes", 0.0123, "share"),
    )
}


@pytest.mark.parametrize(
    ("value", "unit", "words", "shown"),
    [
        (35.19, "dB", ".1f", "35.2 dB"),
        (35.19, "dB", ".1f bare", "35.2"),
        (-0.23, "dB", ".1f negated", "0.2 dB"),
        (0.23, "dB", "signed .1f", "+0.2 dB"),
        (-0.04, "dB", ".1f signed", "0.0 dB"),
        (7.31, "s", ".2g", "7.3 s"),
        (257.4, "ms", ".0f", "257 ms"),
        (20.476, "x", ".0f", "20 times"),
        (20.476, "x", ".1f bare", "20.5"),
        (0.9996, "x", ".3g", "1.00 times"),
        (1234.5, "steps", ".2g", "1200 steps"),
        (1234567, "steps", "", "1,234,567 steps"),
        (1234567, "numbers", "d", "1234567"),
        (1234.6, "s", ",.0f", "1,235 s"),
        (0.0123, "share", ".1f", "1.2 %"),
        (0.5, "share below every held-out", ".0f bare", "50"),
        (-57.3, "%", ".0f negated", "57 %"),
        (0.55, "FID", ".2f", "0.55"),
        (33.0, "views/s", ".1f", "33.0 views/s"),
        (134, "bytes", "", "134 bytes"),
        (1.0, "bytes", "", "1 byte"),
        (134.4, "bytes", ".1f", "134 bytes"),
        (134.4, "bytes", ".1f bytes", "134.4 bytes"),
        (999.6, "bytes", "", "1.00 kB"),
        (12200.0, "bytes", "", "12.2 kB"),
        (248889.0, "bytes", "", "249 kB"),
        (248889.0, "bytes", "bytes", "248,889 bytes"),
        (248889.0, "bytes", "MB .2f", "0.25 MB"),
        (248889.0, "bytes", "kB .1f bare", "248.9"),
        (999_700, "bytes", "", "1.00 MB"),
        (3_060_000, "bytes", "", "3.06 MB"),
        (28_512_345, "bytes", ".0f", "29 MB"),
        (-12200, "bytes", "", "-12.2 kB"),
        ("AMD EPYC", "", "", "AMD EPYC"),
        (None, "s", "null=not measured", "not measured"),
        (4.0, "s", ".1f null=-", "4.0 s"),
    ],
)
def test_a_value_is_written_as_people_write_it(value, unit, words, shown):
    assert Format.parse(words).show(value, unit) == shown


@pytest.mark.parametrize(
    ("value", "unit", "words", "why"),
    [
        (1.5, "s", "", "1.5 wants a number of digits, .1f say"),
        (1.5, "s", "kB .1f", "kB is for sizes in bytes, and the row's unit is 's'"),
        (None, "s", ".1f", "the row has no value; say null=TEXT, or leave it out"),
        (1.5, "s", ".1e", "'.1e' is no format; .1f .2g d ,d bytes kB MB GB bare signed negated null=TEXT are"),
        (1.5, "s", ".1f .2f", "'.2f' is one format too many"),
        (1.5, "s", ".1f null=", "null= wants the text that stands there without a value"),
    ],
)
def test_what_cannot_be_written_says_why(value, unit, words, why):
    with pytest.raises(ValueError) as raised:
        Format.parse(words).show(value, unit)
    assert str(raised.value) == why


@given(NUMBERS, st.integers(0, 6))
def test_places_after_the_point_are_those_asked_for(value, places):
    shown = Format.parse(f",.{places}f").show(value, "dB")
    number, unit = shown.split()
    assert unit == "dB" and len(number.partition(".")[2]) == places
    assert abs(float(number.replace(",", "")) - value) <= 0.5001 * 10.0**-places + 1e-9 * abs(value)


@given(NUMBERS.filter(bool), st.integers(1, 6))
def test_significant_digits_are_those_asked_for(value, digits):
    shown = Format.parse(f".{digits}g bare").show(value, "dB")
    assert "e" not in shown and abs(float(shown) - value) <= 0.5001 * abs(value) * 10.0 ** (1 - digits)
    significant = shown.lstrip("-0.").replace(".", "")
    assert len(significant) >= digits and not significant[digits:].strip("0")


@given(st.floats(0, 9e14))
def test_a_size_has_three_digits_and_is_that_size(value):
    number, unit = Format.parse("").show(value, "bytes").split()
    size = float(number) * 1000 ** ["bytes", "kB", "MB", "GB", "TB"].index(unit.replace("byte", "bytes")[:5])
    assert abs(size - value) <= max(0.5001, 0.00501 * value)
    assert unit.startswith("byte") or (len(number.replace(".", "")) == 3 and 1 <= float(number) < 1000)


PAGE = """\
It reaches <!--= vehicles.psnr .1f -->?<!--/--> in **<!--= vehicles.object_bytes --><!--/-->**, the paper
<!-- a comment --> has <!--~ Fused-Planes, Table 2 -->27.71 dB<!--/-->.

| | PSNR |
|---|---|
| ours | <!--= vehicles.psnr .1f bare -->1<!--/--> |
| `<!--= not.a_row -->code<!--/-->` | <!--= vehicles.speed_of_one null=not measured -->1<!--/--> |

    <!--= no.row -->code<!--/-->

```
a <!--= no.row -->
```
- an `unused
  <!--= no.row -->` code and <!--= vehicles.holes .1f -->?<!--/-->

      more <!--= no.row -->code<!--/-->
"""
FILLED = (
    PAGE.replace("-->?<", "-->35.2 dB<", 1)
    .replace("--><!--/-->**", "-->249 kB<!--/-->**")
    .replace("bare -->1<", "bare -->35.2<")
    .replace("measured -->1<", "measured -->not measured<")
    .replace("-->?<", "-->1.2 %<")
)


def test_marks_are_filled_in_and_code_is_left_alone():
    assert fill(PAGE, ROWS, "page.md") == (FILLED, [])
    assert fill(FILLED, ROWS, "page.md") == (FILLED, [])


@given(st.lists(st.sampled_from([*PAGE.split("\n"), "`", "a ``b", "<!--= a -->", "<!--/-->", "x\r"])))
def test_filling_in_again_changes_nothing(lines):
    once, problems = fill("\n".join(lines), ROWS, "page.md")
    assert fill(once, ROWS, "page.md") == (once, problems)
    assert len(without_code(once)) == len(once)


NO_ROW = "no row of benchmarks/results/*.json has this name"
NO_FORMAT = "is no format; .1f .2g d ,d bytes kB MB GB bare signed negated null=TEXT are"
HTML = "a mark that begins a line makes HTML of it; put a word before it"
HEADING = "a heading has no figures; links to it would change with them"
WRITE = "one line has <!--= NAME --> or <!--~ SOURCE -->, and <!--/-->"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("a <!--= vehicles.psn .1f -->1<!--/-->", f"vehicles.psn: {NO_ROW}; is it vehicles.psnr?"),
        ("a <!--= qqq .1f -->1<!--/-->", f"qqq: {NO_ROW}"),
        ("a <!--= vehicles.psnr .1x -->1<!--/-->", f"vehicles.psnr: '.1x' {NO_FORMAT}"),
        ("a <!--= vehicles.psnr -->1<!--/-->", "vehicles.psnr: 35.19 wants a number of digits, .1f say"),
        ("a <!--= vehicles.psnr .1f -->1", f"vehicles.psnr: {WRITE}"),
        ("a <!--= vehicles.psnr .1f", f"vehicles.psnr: {WRITE}"),
        ("a 35.2 dB<!--/-->", f"a mark: {WRITE}"),
        ("a <!--= vehicles.psnr .1f -->1 <!--= vehicles.loss .1f -->1<!--/-->", f"vehicles.psnr: {WRITE}"),
        ("a <!--= -->1<!--/-->", f"a mark: {NO_ROW}"),
        ("a <!--~ -->1<!--/-->", "a mark: say where the figure is from: <!--~ Fused-Planes, Table 2 -->"),
        ("a <!--~ Table 2 --> <!--/-->", "Table 2: what is quoted has to stand there"),
        ("<!--= vehicles.psnr .1f -->1<!--/-->", f"vehicles.psnr: {HTML}"),
        ("- <!--= vehicles.psnr .1f -->1<!--/-->", f"vehicles.psnr: {HTML}"),
        ("## <!--= vehicles.psnr .1f -->1<!--/-->", f"vehicles.psnr: {HEADING}"),
        ("| <!--~ a | b -->1<!--/--> |", "a | b: a | inside of a mark ends the table's cell"),
    ],
)  # fmt: skip
def test_a_bad_mark_says_where_and_what(line, why):
    text = f"x\n\n{line}\n\nand <!--= vehicles.loss .1f negated -->?<!--/-->\n"
    assert fill(text, ROWS, "docs/page.md") == (text.replace("?", "0.2 dB"), [f"docs/page.md:3: {why}"])


@pytest.fixture
def house(tmp_path):
    """A repository with two pages and the rows."""
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    write_records(tmp_path / "benchmarks" / "results" / "vehicles.json", ROWS.values())
    (tmp_path / "docs" / "how").mkdir(parents=True)
    (tmp_path / "docs" / "how" / "it.md").write_bytes(b"a\r\nb <!--= vehicles.psnr .1f -->1<!--/-->\r\n")
    (tmp_path / "README.md").write_text("No figures.\n")
    return tmp_path


def test_the_tool_fills_pages_in_and_checks_them(house, capsys):
    assert main(["--check"], house) == 1
    assert capsys.readouterr() == ("", "docs/how/it.md: not up to date, run make figures\n")
    assert main([], house) == 0
    assert capsys.readouterr() == ("docs/how/it.md: filled in\n", "")
    page = house / "docs" / "how" / "it.md"
    assert page.read_bytes() == b"a\r\nb <!--= vehicles.psnr .1f -->35.2 dB<!--/-->\r\n"
    written = page.stat().st_mtime_ns
    assert main(["--check"], house) == main([], house) == 0
    assert capsys.readouterr() == ("", "") and page.stat().st_mtime_ns == written


def test_the_tool_fills_in_what_it_can_and_fails(house, capsys):
    (house / "README.md").write_text("a <!--= no.row -->1<!--/-->\n")
    assert main([], house) == 1
    out, err = capsys.readouterr()
    assert out == "docs/how/it.md: filled in\n"
    assert err.splitlines() == ["README.md:1: no.row: no row of benchmarks/results/*.json has this name"]


def test_a_name_in_two_files_is_refused(house, capsys):
    results = house / "benchmarks" / "results"
    (results / "zoo.json").write_bytes((results / "vehicles.json").read_bytes())
    assert main([], house) == 1
    assert capsys.readouterr().err == (
        "benchmarks/results/zoo.json: vehicles.psnr stands in another file too; rename one\n"
    )


def test_drafts_are_not_quoted(house, capsys):
    write_records(house / "benchmarks" / "results" / "zoo.json", [row("zoo.psnr", 30.0, "dB")], draft=True)
    (house / "README.md").write_text("a <!--= zoo.psnr .1f -->1<!--/-->\n")
    assert main([], house) == 1
    assert capsys.readouterr().err.startswith(f"README.md:1: zoo.psnr: {NO_ROW}")
