"""Bytes of a report: wherever an object's own stand, those with the shared part stand beside them."""

import re

import pytest

from manyfields.evaluation.costs import CostAccount
from manyfields.evaluation.report import Comparison, Headline, ObjectResult, ReportData, Variant, render_page
from manyfields.evaluation.report.sections import comparison, headline
from manyfields.evaluation.report.sizes import costs, objects, sharing

MIXTURE = Variant("mixture", object_bytes=256.0, shared_bytes=9_180_000, bytes_with_shared=2_295_256.0, objects=4)
PLANES = Variant("planes", object_bytes=200_000.0, shared_bytes=400_000, bytes_with_shared=300_000.0, objects=4)


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def test_the_smallest_is_judged_with_what_is_behind_it():
    page = comparison(Comparison((MIXTURE, PLANES)))
    assert "an object, with the shared part, N = 4" in page and "2.30 MB" in words(page)
    assert "<b>300 kB</b>" in page and "<b>256 B</b>" not in page


def test_objects_of_unlike_sets_name_no_number():
    assert sharing([MIXTURE, Variant("b", objects=5)]) == "with its part of what is shared"


def test_the_first_figures_have_both():
    shown = words(
        headline(
            ReportData(
                "t",
                headline=Headline(
                    object_bytes=256.0, shared_bytes=9_180_000.0, bytes_with_shared=2_295_256.0, objects=4
                ),
            )
        )
    )
    assert "bytes an object 256 B its own" in shown
    assert "bytes an object 2.30 MB with the shared part, N = 4" in shown


def test_each_object_has_both():
    rows = (ObjectResult("a", bytes=250), ObjectResult("b", bytes=262), ObjectResult("c"))
    page = words(objects(ReportData("t", objects=rows, headline=Headline(shared_bytes=9_180_000.0, objects=4))))
    assert "with the shared part, N = 4" in page
    assert "250 2,295,250" in page and "262 2,295,262" in page
    assert "with the shared part" not in objects(ReportData("t", objects=rows))


def test_totals_are_of_the_set_itself_too():
    account = CostAccount(1.0, 4, 9_180_000, 0, (256.0,))
    page = words(costs(account, (4, 10_000)))
    assert "2.30 MB" in page and "1.17 kB" in page and "with the shared part" in page


@pytest.mark.parametrize("top", [None, Headline()])
def test_a_report_without_sizes_has_none(top):
    assert "with the shared part" not in render_page(ReportData("t", headline=top, objects=(ObjectResult("a"),)))
