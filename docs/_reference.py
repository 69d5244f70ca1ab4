"""What `make docs` adds to the pages: commands and settings out of the code, and links that leave the site.

mkdocs calls `on_page_markdown` for each page (mkdocs.yml, `hooks`). A page has a comment where something is to be put:

    <!-- made from the code: commands -->

so that it reads well on the repository's host too, where nothing is put there.
"""

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
PLACE = re.compile(r"<!-- made from the code: (\w+) -->")
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """The Markdown of a page as the site has it."""
    made = PLACE.sub(lambda place: PARTS[place[1]](), markdown)
    return outside_links(made, page.file.src_uri, config.repo_url)


def outside_links(markdown: str, page: str, repository: str | None) -> str:
    """Links to files of the repository that are no page: to the repository where its address is known, else text."""

    def link(match: re.Match[str]) -> str:
        text, target = match.groups()
        if ":" in target or target.startswith("#"):
            return match[0]
        path = os.path.normpath(Path("docs", page).parent / target.partition("#")[0])
        if path.startswith("docs" + os.sep):
            return match[0]
        return f"[{text}]({repository.rstrip('/')}/blob/main/{path})" if repository else text

    return LINK.sub(link, markdown)


@dataclass
class Entry:
    """A flag, an argument or a command of a help text."""

    name: str
    """Such as `--minutes MINUTES`."""
    text: str

    @property
    def default(self) -> str:
        found = re.search(r"\((?:default: (.*)|(required))\)$", self.text)
        value = (found[1] or found[2]) if found else ""
        return "" if value in ("None", "False") else value

    @property
    def meaning(self) -> str:
        return re.sub(r"\s*\((?:default: .*|required)\)$", "", self.text)


def help_of(words: list[str]) -> str:
    """What `manyfields WORDS --help` prints, in lines as long as they need to be."""
    from manyfields.commands import main

    printed, before = io.StringIO(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "2000"
    try:
        with redirect_stdout(printed):
            main([*words, "--help"])
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before
    return re.sub(r"\x1b\[[0-9;]*m", "", printed.getvalue())


def boxes(text: str) -> dict[str, list[Entry]]:
    """The boxes of a help text by title, each with its entries."""
    found: dict[str, list[Entry]] = {}
    entries: list[Entry] = []
    for line in text.splitlines():
        if line.startswith("╭"):
            entries = found.setdefault(line.strip("╭─╮ "), [])
        elif line.startswith("│"):
            inner = line.strip("│").rstrip()[1:]
            name, _, rest = inner.partition("  ")
            if inner and not inner.startswith((" ", "─")):
                entries.append(Entry(name, rest.strip()))
            elif entries and inner.strip(" ─"):
                entries[-1].text = f"{entries[-1].text} {inner.strip()}".strip()
    return found


def cell(text: str) -> str:
    """A text that may stand in a cell of a table: what is in braces or brackets is no markup."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def described(words: list[str], depth: int = 2) -> Iterator[str]:
    """Lines of Markdown about a command and the commands under it."""
    text = help_of(words)
    paragraphs = text.split("╭")[0].strip().split("\n\n")
    usage = re.sub(r"^usage: ", "", paragraphs[0]).replace(" [-h]", "")
    yield f"{'#' * depth} {' '.join(words) or 'manyfields'}\n"
    yield "\n\n".join(paragraphs[1:]) + "\n"
    yield f"    {usage}\n"
    below: list[str] = []
    for title, entries in boxes(text).items():
        if "subcommands" in title:
            below = [entry.name for entry in entries]
            continue
        entries = [entry for entry in entries if not entry.name.startswith("-h")]
        if entries:
            yield f"| {title} | | default |\n|---|---|---|"
            yield from (f"| `{cell(e.name)}` | {cell(e.meaning)} | {cell(e.default)} |" for e in entries)
            yield ""
    for name in below:
        yield from described([*words, name], depth + 1)


def commands() -> str:
    """Every command with its flags, from its `--help`."""
    from manyfields.commands import COMMANDS

    return "\n".join(line for name in COMMANDS for line in described([name]))


def settings() -> str:
    """The settings of a fit, and what presets set."""
    return ""


PARTS: dict[str, Callable[[], str]] = {"commands": commands, "settings": settings}
