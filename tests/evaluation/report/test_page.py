"""The report: whole, self-contained, in order, escaped, and without what it was not given."""

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from manyfields.evaluation.costs import CostAccount
from manyfields.evaluation.report import (
    Chart,
    Comparison,
    Curve,
    Dataset,
    Headline,
    ObjectResult,
    Picture,
    PlaneMap,
    ReportData,
    SetAside,
    Split,
    Variant,
    render_page,
    write_report,
)  # fmt: skip
from manyfields.evaluation.report.figures import Axis, histogram, line_chart, nice_ticks
from manyfields.evaluation.report.grid import labelled_grid
from manyfields.evaluation.report.pictures import ERROR_COLOURS, ERROR_FULL_SCALE, data_uri, error_map
from manyfields.evaluation.scores import Scores


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)


def fake_object(number: int) -> ObjectResult:
    truth = noise(number)
    picture = Picture("004", truth, 255 - truth, truth // 2, psnr=20.0 + number, foreground_psnr=15.0 + number)
    scores = Scores(20.0 + number, 15.0 + number, ssim=0.9)
    first = Scores(psnr=18.0, foreground_psnr=11.0)
    return ObjectResult(f"object-{number}", "cars", 1 + number % 2, 9, 1, scores, first, 1000 + number, (picture,))


@pytest.fixture
def data() -> ReportData:
    curve = Curve("all layers", (10.0, 60.0, 300.0), (15.0, 20.0, 25.0), (100, 600, 3000))
    return ReportData(
        title="A demonstration: these data are fake",
        when="2026-01-01T00:00:00Z",
        machine="a machine",
        command="manyfields demo",
        version="0.0.0",
        config={"seed": 0},
        dataset=Dataset("fakes", 5, "50 views of 16×16 pixels", "every tenth view"),
        headline=Headline(
            Scores(22.0, 15.0, ssim=0.9), Scores(18.0, 11.0), "LPIPS weights not found: /x", 1002, 5e6, 12.0, 0.02
        ),
        objects=tuple(fake_object(i) for i in range(5)),
        splits=(Split("stage 1", 3, Scores(22.0)), Split("stage 2", 2, Scores(22.0))),
        charts=(Chart("Held-out PSNR", "dB", (curve,)), Chart("Loss", "", (curve,), logarithmic=True)),
        comparison=Comparison((Variant("ours", Scores(25.0), paper_psnr=30.47), Variant("theirs", Scores(21.0)))),
        costs=CostAccount(600, 3, 5_000_000, 1_000_000, (100, 902), 12.0, 11.0, 0.001, 0.02, 80.0),
        cost_counts=(7, 12_345),
        problems=(SetAside("object-9", "003", "the image is blank"),),
        notes=("a note",),
    )


class Balance(HTMLParser):
    """Fails where an element is closed that is not the innermost open one."""

    VOID = {"meta", "img", "br", "line", "rect", "circle", "path"}

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_beside_it(data, tmp_path):
    path = tmp_path / "made" / "report.html"
    write_report(path, data)
    page = path.read_text(encoding="utf-8")
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    assert parser.links and all(link.startswith("data:image/") for link in parser.links)
    assert "http" not in page and "url(" not in page and "@import" not in page
    assert page == render_page(data)


def test_everything_given_is_shown(data):
    page = render_page(data)
    for text in (
        "manyfields demo", "every tenth view", "LPIPS weights not found: /x", "object-3",
        "the image is blank", "a note", "12,345", "30.47", "Held-out PSNR", "Objects by PSNR", "1,002", "layer 0 alone",
    ):  # fmt: skip
        assert text in page, text


def test_sections_without_data_are_left_out():
    page = render_page(ReportData(title="Nothing yet"))
    assert "Nothing yet" in page and "<h2>" not in page and "<table" not in page and "None" not in page


@pytest.mark.parametrize(
    ("field", "empty", "heading"),
    [
        ("costs", None, "Cost"),
        ("comparison", None, "Variants"),
        ("problems", (), "Set aside"),
        ("charts", (), "Training"),
    ],
)
def test_each_section_depends_on_its_own_data(data, field, empty, heading):
    assert f"<h2>{heading}</h2>" in render_page(data)
    assert f"<h2>{heading}</h2>" not in render_page(replace(data, **{field: empty}))


def test_best_median_and_worst_stand_first_and_others_are_folded(data):
    page = render_page(data)
    ranks = [(m.start(), m[1]) for m in re.finditer(r"<span class=rank>(\w+)</span>object-\d", page)]
    assert [word for _, word in ranks] == ["best", "median", "worst"]
    ids = re.findall(r"<h3>(?:<span class=rank>\w+</span>)?(object-\d)<", page)
    assert ids == ["object-4", "object-2", "object-0", "object-3", "object-1"]
    assert page.index("All other objects (2)") > ranks[-1][0]


def test_psnr_never_stands_without_foreground_psnr(data):
    page = render_page(data)
    assert "<b>24.00 dB, foreground 19.00 dB</b>" in page  # of an object
    assert "view 004 · 24.00 dB, foreground 19.00 dB" in page
    assert "from the first bytes alone; foreground 11.00 dB" in page and "foreground, dB" in page
    assert page.index("Objects by foreground PSNR") < page.index("Objects by PSNR")


def test_objects_with_much_white_around_them_are_not_the_best(data):
    small, large = (replace(data.objects[0], id=f"object-{n}") for n in (8, 9))
    small = replace(small, scores=replace(small.scores, psnr=40.0, foreground_psnr=12.0))
    page = render_page(replace(data, objects=(small, large)))
    assert re.search(r"<span class=rank>best and median</span>object-9", page)


def test_one_object_is_best_median_and_worst_at_once(data):
    page = render_page(replace(data, objects=data.objects[:1]))
    assert "best and median and worst" in page and "All other objects" not in page


def test_what_comes_from_outside_cannot_become_markup(data):
    evil = "</script><img src=x onerror=alert(1)>\"'&"
    first = data.objects[0]
    shown = replace(
        data,
        title=evil, machine=evil, command=evil, notes=(evil,), problems=(SetAside(evil, evil, evil),),
        config={evil: evil}, splits=(Split(evil, 1),), summary=evil,
        dataset=Dataset(evil, 1, evil, evil), comparison=Comparison((Variant(evil, note=evil),), note=evil),
        charts=(Chart(evil, evil, (Curve(evil, (1.0,), (1.0,)),), note=evil),),
        objects=(replace(first, id=evil, group=evil, pictures=(replace(first.pictures[0], view=evil),)),),
    )  # fmt: skip
    page = render_page(shown)
    assert "<img src=x" not in page and page.count("</script>") == 1
    parser = Balance()
    parser.feed(page)
    assert parser.open == []


def test_missing_figures_are_dashes_and_never_best(data):
    rows = (Variant("a", Scores(psnr=20.0, lpips=0.3)), Variant("b", Scores(psnr=21.0, lpips=0.2)), Variant("c"))
    page = render_page(ReportData(title="t", comparison=Comparison(rows)))
    assert '<td data-v="21.0"><b>21.00</b></td>' in page and '<td data-v="20.0">20.00</td>' in page
    assert '<td data-v="0.2"><b>0.2000</b></td>' in page
    assert "<td class=none>–</td>" in page and "SSIM" not in page


def test_error_maps_grow_brighter_with_error():
    truth = np.zeros((1, 3, 3), np.uint8)
    render = truth.copy()
    render[0, 1] = ERROR_FULL_SCALE // 2
    render[0, 2] = 255
    pixels = error_map(truth, render)[0]
    assert pixels[0].tolist() == ERROR_COLOURS[0].tolist() and pixels[2].tolist() == ERROR_COLOURS[-1].tolist()
    luminance = ERROR_COLOURS @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(luminance) > 0).all()
    assert luminance[0] < pixels[1] @ (0.2126, 0.7152, 0.0722) < luminance[-1]


def test_pictures_in_the_page_are_the_pictures():
    image = noise(0)
    for lossless, limit in ((True, 0), (False, 60)):
        raw = base64.b64decode(data_uri(image, lossless).partition(",")[2])
        decoded = np.asarray(Image.open(io.BytesIO(raw)).convert("RGB")).astype(int)
        assert np.abs(decoded - image).max() <= limit


@pytest.mark.parametrize(("low", "high"), [(0, 1), (17.3, 29.9), (0, 0.003), (-5, 1e6)])
def test_ticks_are_round_and_inside(low, high):
    ticks = nice_ticks(low, high)
    assert 3 <= len(ticks) <= 9 and ticks[0] >= low - 1e-9 and ticks[-1] <= high + 1e-9
    assert np.allclose(np.diff(ticks), ticks[1] - ticks[0])


def test_axes_place_their_ends_and_middle():
    assert Axis(0, 10, 100, 200).place(5) == 150
    axis = Axis(0.01, 100, 200, 0, logarithmic=True)
    assert axis.place(1) == pytest.approx(100) and axis.ticks() == pytest.approx([0.01, 0.1, 1, 10, 100])


def test_charts_leave_out_what_no_axis_can_hold():
    broken = Curve("a", (1.0, 2.0, 3.0), (1.0, float("nan"), 0.0))
    page = line_chart(Chart("t", "", (broken,), logarithmic=True))
    assert page.count("<circle") == 1 and "nan" not in page
    assert line_chart(Chart("t", "", (Curve("a", (), ()),))) == ""
    assert "nan" not in line_chart(Chart("t", "dB", (Curve("flat", (0.0,), (0.0,)),)))


def test_charts_over_sizes_have_a_logarithmic_axis_in_their_unit():
    curves = (Curve("a", (100e3, 400e3, 1600e3), (30.0, 32.0, 33.0)), Curve("b", (0.0, 400e3), (20.0, 31.0)))
    page = line_chart(Chart("t", "dB", curves, across="bytes"))
    assert ">size, kB<" in page and "wall time" not in page and "a: 30.0 dB at 100 kB" in page
    centers = [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', page)]
    assert len(centers) == 4  # a size of 0 has no place on it
    assert centers[1] - centers[0] == pytest.approx(centers[2] - centers[1], abs=0.2)
    assert ">size, MB<" in line_chart(Chart("t", "dB", (Curve("a", (4e6, 5e7), (1.0, 2.0)),), across="bytes"))


def test_long_curves_are_thinned_but_end_where_they_end():
    seconds = tuple(float(t) for t in range(20_000))
    page = line_chart(Chart("t", "", (Curve("a", seconds, seconds),)))
    assert len(page) < 20_000 and "<b>19,999</b>" in page


def test_histogram_counts_everything():
    values = [20.0, 20.5, 21.0, 24.9, 25.0, 30.0]
    counts = [int(n) for n in re.findall(r": (\d+)</title>", histogram(values, "t", "dB"))]
    assert sum(counts) == len(values)
    assert histogram([20.0], "t", "dB") == "" and histogram([20.0, 20.0], "t", "dB") == ""


def test_maps_of_planes_stand_below_the_views(data):
    grey = noise(3)[..., 0]
    mapped = replace(data.objects[0], maps=(PlaneMap("which <texels>", grey),))
    page = render_page(replace(data, objects=(mapped,)))
    assert data_uri(grey) in page and page.index(data_uri(grey)) > page.index("view 004")
    assert "<figcaption>which &lt;texels&gt;</figcaption>" in page
    assert "which" not in render_page(data)


def test_a_comparison_may_have_a_picture_and_a_title(data):
    rows = (Variant("a", frames_per_second=4.0, coding_seconds=75.0), Variant("b", frames_per_second=8.25))
    shown = Comparison(rows, title="Families", picture=noise(1), picture_note="as <stored>")
    page = render_page(replace(data, comparison=shown))
    assert "<h2>Families</h2>" in page and "<h2>Variants</h2>" not in page
    assert data_uri(noise(1)) in page and "as &lt;stored&gt;" in page and "as <stored>" not in page
    assert "<b>8.25</b>" in page and "75.0 s" in page


def test_a_grid_has_every_picture_at_its_place_and_words_in_their_cells():
    pictures = [[noise(4), noise(5)], [noise(6), noise(7)]]
    words = "a name that is far too long for a cell of so few pixels, so that it is cut"
    titles = [["truth", "", ""], [words, words, words]]
    sheet = labelled_grid(titles, [[(picture, words) for picture in row] for row in pictures])
    assert sheet.shape == (51 + 2 * (128 + 15 + 6), 6 + 2 * (128 + 6), 3)
    for row, line in enumerate(pictures):
        for column, picture in enumerate(line):
            top, left = 51 + row * 149, 6 + column * 134
            cell = sheet[top : top + 128, left : left + 128]
            assert (cell[::8, ::8] == picture).all() and (cell[7::8, 7::8] == picture).all()
            below = sheet[top + 128 : top + 143]
            assert below[:, left : left + 128].min() < 128 and below[:, left + 130 : left + 134].min() == 255
    assert sheet[:45, 6:134].min() < 128 and sheet[15:45, 6:134].min() == 255  # one line above the first column
    large = np.zeros((100, 200, 3), np.uint8)
    assert labelled_grid([["a"]], [[(large, "")]]).shape == (21 + 100 + 15 + 6, 212, 3)
