"""The pages of docs/: links lead somewhere, on the repository's host and on the site, and the site builds."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
FENCES = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def prose(text: str) -> str:
    """A page without its blocks of code."""
    return FENCES.sub("", text)


def anchor(heading: str) -> str:
    """The anchor that the repository's host and the site give to a heading."""
    bare = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("&lt;", "<").replace("&gt;", ">")
    return re.sub(r"[^\w\- ]", "", bare.strip().lower()).replace(" ", "-")


def anchors(text: str) -> set[str]:
    return {anchor(line.lstrip("#")) for line in prose(text).splitlines() if line.startswith("#")}


def broken(page: Path) -> Iterator[str]:
    """Links of a page that lead nowhere."""
    for target in LINK.findall(prose(page.read_text(encoding="utf-8"))):
        if re.match(r"\w+:", target):
            continue
        path, _, part = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists():
            yield f"{page.relative_to(ROOT)}: {target} is not there"
        elif part and part not in anchors(there.read_text(encoding="utf-8")):
            yield f"{page.relative_to(ROOT)}: {there.name} has no heading #{part}"


def test_anchors_are_those_of_headings():
    text = "# A `b` (c), d\n```\n# no heading\n```\n## [x_y](z.md) -- ü"
    assert anchors(text) == {"a-b-c-d", "x_y----ü"}


def test_links_lead_somewhere():
    assert not (lost := [line for page in PAGES for line in broken(page)]), "\n".join(lost)


def test_every_page_is_in_the_navigation():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r"^ +- (?:[\w ]+: )?([\w/]+\.md)$", text, re.MULTILINE)
    assert sorted(listed) == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


def test_every_picture_is_shown():
    shown = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert not [path.name for path in (DOCS / "images").iterdir() if f"images/{path.name}" not in shown]


def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs", reason="the site is built with the extra docs")
    pytest.importorskip("mkdocstrings", reason="the site is built with the extra docs")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NO_MKDOCS_2_WARNING": "1"}
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stdout + done.stderr

    page = (tmp_path / "reference" / "commands.html").read_text(encoding="utf-8")
    assert 'id="fit"' in page and "--minutes" in page, "the commands are made from the code"
    outside = re.compile(r"""(?:src|href)=["']?https?://[^"'\s>]+\.(?:js|css|woff2?)\b""")
    loaded = {link for path in tmp_path.rglob("*.html") for link in outside.findall(path.read_text(encoding="utf-8"))}
    assert not loaded, "the site asks no other server for anything"
