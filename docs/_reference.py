"""What `make docs` adds to the pages: commands, settings and API out of the code, and links that leave the site.

mkdocs calls the functions `on_...` (mkdocs.yml, `hooks`). A page has a comment where something is to be put:

    <!-- made from the code: commands -->

so that it reads well on the repository's host too, where nothing is put there.
"""

import inspect
import io
import os
import pkgutil
import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

API = "reference/api.md"
PLACE = re.compile(r"<!-- made from the code: (\w+) -->")
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")


def on_config(config: Any) -> Any:
    """The navigation, with a page for each package of the API."""
    reference = next(part["Reference"] for part in config.nav if isinstance(part, dict) and "Reference" in part)
    place = reference.index(API) + 1
    reference[place:place] = [{"The packages": [{package.split(".")[-1]: api_page(package)} for package in packages()]}]
    return config


def on_files(files: Any, config: Any) -> Any:
    """The pages, with one for each package of the API."""
    from mkdocs.structure.files import File

    for package in packages():
        files.append(File.generated(config, api_page(package), content=api(package)))
    return files


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

    def lines(self) -> Iterator[str]:
        """The entry in a list of definitions."""
        end = re.search(r"\s*\((?:default: (.*)|(required))\)$", self.text)
        meaning, default = (self.text[: end.start()], end[1]) if end else (self.text, None)
        name = self.name.replace("{None}|", "").replace("{None,", "{")
        yield f"`{name}`" + (" (required)" if end and end[2] and name.startswith("-") else "")
        given = f" Default: `{default}`." if default not in (None, "", "None", "True", "False") else ""
        yield f":   {plain(meaning)}{given}\n"


def help_of(words: list[str]) -> str:
    """What `manyfields WORDS --help` prints, in lines as long as they need to be."""
    from manyfields.commands import main

    return printed_by(lambda: main([*words, "--help"]))


def printed_by(say: Callable[[], Any]) -> str:
    """What a call prints, in lines as long as they need to be."""
    # In UTF-8, for only then the help has the boxes that `boxes` reads.
    printed, before = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "2000"
    try:
        with redirect_stdout(printed):
            say()
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before
    printed.seek(0)
    return re.sub(r"\x1b\[[0-9;]*m", "", printed.read())


def boxes(text: str) -> dict[str, list[Entry]]:
    """The boxes of a help text by title, each with its entries."""
    found: dict[str, list[Entry]] = {}
    entries: list[Entry] = []
    for line in text.splitlines():
        if line.startswith("╭"):
            entries = found.setdefault(line.strip("╭─╮ "), [])
        elif line.startswith("│"):
            inner = re.sub(r"^ *• (\S+) +", r"\1  ", line.strip("│").rstrip()[1:])  # a command below this one
            name, _, rest = inner.partition("  ")
            if inner and not inner.startswith((" ", "─", "(")):
                entries.append(Entry(name, rest.strip()))
            elif entries and inner.strip(" ─"):
                entries[-1].text = f"{entries[-1].text} {inner.strip()}".strip()
    return found


def plain(text: str) -> str:
    """A text as Markdown that shows it as it is; flags in it become code."""
    shown = re.sub(r"([\\`*_<\[\]|])", r"\\\1", text)
    return re.sub(r"(?<![\w-])(--[a-z][a-z0-9-]*)", r"`\1`", shown)


def described(words: list[str], depth: int = 2) -> Iterator[str]:
    """Lines of Markdown about a command and the commands under it."""
    text = help_of(words)
    paragraphs = text.split("╭")[0].strip().split("\n\n")
    usage = re.sub(r"^usage: ", "", paragraphs[0]).replace(" [-h]", "")
    yield f"{'#' * depth} {' '.join(words)}\n"
    yield "\n\n".join(paragraphs[1:]) + "\n"
    yield f"    {usage}\n"
    below: list[str] = []
    for title, entries in boxes(text).items():
        if "subcommands" in title:
            below = [entry.name for entry in entries]
            continue
        for entry in entries:
            if not entry.name.startswith("-h,"):
                yield from entry.lines()
    for name in below:
        yield from described([*words, name], depth + 1)


def commands() -> str:
    """Every command with its flags, from its `--help`."""
    from manyfields.commands import COMMANDS

    return "\n".join(line for name in COMMANDS for line in described([name]))


def codecs() -> str:
    """The settings of each codec of each family, from `compress --codec NAME --help`."""
    from manyfields.commands._codec_flags import print_settings
    from manyfields.commands.compress import Compress, choices

    lines: list[str] = []
    for choice in choices():
        text = printed_by(lambda choice=choice: print_settings(Compress, choice))
        lines += [
            f"### --codec {choice.name}, of {choice.family}\n",
            text.split("╭")[0].strip().split("\n\n")[1] + "\n",
        ]
        for entry in boxes(text)["options"]:
            if not entry.name.startswith("-h,"):
                lines += entry.lines()
    return "\n".join(lines)


def settings() -> str:
    """The settings of a fit, and what presets set."""
    return ""


def packages() -> list[str]:
    """The packages that export something, in the order of their names."""
    import manyfields

    found = pkgutil.walk_packages(manyfields.__path__, "manyfields.")
    return sorted(name for _, name, whole in found if whole and getattr(import_module(name), "__all__", ()))


def api_page(package: str) -> str:
    return f"reference/api/{package.removeprefix('manyfields.')}.md"


def api(package: str = "manyfields") -> str:
    """The names that a package exports, each by its docstring."""
    module = import_module(package)
    lines = [] if package == "manyfields" else [f"# {package}", "", f"{inspect.getdoc(module)}", ""]
    for name in module.__all__:
        made = getattr(module, name)
        if inspect.isclass(made) or inspect.isfunction(made):
            # Where it is defined: `manyfields.runs.fit` is a module, too.
            lines += [f"::: {made.__module__}.{made.__qualname__}", ""]
    return "\n".join(lines)


PARTS: dict[str, Callable[[], str]] = {"commands": commands, "codecs": codecs, "settings": settings, "api": api}
