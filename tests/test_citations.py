"""Every document that a tracked file cites is there for its readers."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OWN = (Path(__file__), Path(__file__).with_name("test_documentation.py"))
"""Tests of this kind, which name files that are not there."""
CITED = re.compile(r"[\w./-]*\w\.md\b")


def tracked() -> list[str]:
    """Paths of the repository's files; the test is skipped in a copy without its history."""
    if not (ROOT / ".git").exists():
        pytest.skip("no repository: what is tracked is not known")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [name for name in listed.decode().split("\0") if name]


def citations(text: str) -> set[str]:
    """Names of Markdown files in a text; pages of other sites are not ours."""
    return set(CITED.findall(re.sub(r"\w+://\S+", "", text)))


def test_what_counts_as_a_citation():
    text = "see (docs/a.md#part), `b.md`, https://example.org/c.md and d.mdx"
    assert citations(text) == {"docs/a.md", "b.md"}


def test_documents_that_are_cited_are_there():
    names = tracked()
    known = {name for name in names if name.endswith(".md")}
    missing = []
    for name in names:
        path = ROOT / name
        if path in OWN or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture, weights: nothing that cites
        for cited in citations(text):
            beside = os.path.relpath((path.parent / cited).resolve(), ROOT)
            if not {cited.removeprefix("/"), beside, f"docs/{cited}"} & known:
                missing.append(f"{name} cites {cited}")
    assert not missing, "; ".join(sorted(missing))
