"""What `make docs` adds to the pages: commands, settings and API out of the code, and links that leave the site.

mkdocs calls the functions `on_...` (mkdocs.yml, `hooks`). A page has a comment where something is to be put:

    <!-- made from the code: commands -->

so that it reads well on the repository's host too, where nothing is put there.
"""

import ast
import inspect
import io
import json
import os
import pkgutil
import re
import textwrap
from collections.abc import Callable, Container, Iterator
from contextlib import redirect_stdout
from dataclasses import MISSING, dataclass, fields, is_dataclass
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
        end = re.search(r"\s*\((?:(?:default|preset): (.*)|(required))\)$", self.text)
        meaning, default = (self.text[: end.start()], end[1]) if end else (self.text, None)
        name = self.name.replace("{None}|", "").replace("{None,", "{")
        yield f"`{name}`" + (" (required)" if end and end[2] and name.startswith("-") else "")
        given = f" Default: `{default}`." if default not in (None, "", "None", "none", "True", "False") else ""
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
    """A text as Markdown that shows it as it is; names in backticks and flags are code."""
    parts = text.split("`")
    for index, part in enumerate(parts):
        if index % 2 == 0:
            shown = re.sub(r"([\\*_<\[\]|])", r"\\\1", part)
            parts[index] = re.sub(r"(?<![\w-])(--[a-z][a-z0-9-]*)", r"`\1`", shown)
    return "`".join(parts).replace("``", "")


def described(words: list[str], known: Container[str] = (), depth: int = 2) -> Iterator[str]:
    """Lines of Markdown about a command and the commands under it, but for flags that are known already."""
    yield f"{'#' * depth} {' '.join(words)}\n"
    below: list[str] = []
    for text in help_of(words).split("usage: ")[1:]:  # several, where a codec of that name is of several families
        usage, *about = text.split("╭")[0].strip().split("\n\n")
        yield "\n\n".join(plain(paragraph) for paragraph in about if paragraph) + "\n"
        yield f"    {usage.replace(' [-h]', '')}\n"
        for title, entries in boxes(text).items():
            if "subcommands" in title:
                below = [entry.name for entry in entries]
                continue
            for entry in entries:
                if not entry.name.startswith("-h,") and entry.name not in known:
                    yield from entry.lines()
    for name in below:
        yield from described([*words, name], known, depth + 1)


def commands() -> str:
    """Every command with its flags, from its `--help`, and what each family adds to those of `fit`."""
    from manyfields.commands import COMMANDS

    lines: list[str] = []
    for name in COMMANDS:
        lines += described([name])
        if name == "fit":
            lines += families({entry.name for entries in boxes(help_of([name])).values() for entry in entries})
    return "\n".join(lines)


def families(known: set[str]) -> Iterator[str]:
    """The flags of `fit FAMILY` that are not known yet: first those of all families, then what each has of its own."""
    from manyfields.families.names import NAMES

    found = {name: [entry for entries in boxes(help_of(["fit", name])).values() for entry in entries] for name in NAMES}
    common = set.intersection(*({entry.name for entry in entries} for entries in found.values())) - known
    yield "### fit FAMILY\n"
    yield "What the settings of every family have. If not given, they are as the preset has them.\n"
    for entry in next(iter(found.values())):
        if entry.name in common:
            yield from Entry(entry.name, re.sub(r" \(preset: .*\)$", "", entry.text)).lines()
    for name in found:
        yield from described(["fit", name], known | common, depth=3)


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
    """What decides a fit: the settings that all families heed, those of each family, and what its presets set."""
    from manyfields.families.registry import FAMILIES
    from manyfields.fitting.phases import Phase
    from manyfields.fitting.settings import FitSettings
    from manyfields.rendering import Sampler

    lines = ["## All families", "", *listed(FitSettings)]
    for row in FAMILIES.values():
        kinds: dict[type, dict[str, Any]] = {}
        for name, preset in row.presets.items():
            kinds.setdefault(type(preset), {})[name] = preset
        for kind, presets in kinds.items():
            first = next(iter(presets.values()))
            lines += [f"## {first.family}", "", f"{inspect.getdoc(kind)}", ""]
            lines += listed(kind, first, {field.name for field in fields(FitSettings)})
            if len(presets) > 1:
                lines += ["| preset | what it changes |", "|---|---|"]
                lines += [f"| `{name}` | {changes(first, preset)} |" for name, preset in presets.items()]
                lines += [""]
    lines += ["## Phases", "", f"{inspect.getdoc(Phase)}", "", *listed(Phase)]
    return "\n".join([*lines, "## Samplers", "", f"{inspect.getdoc(Sampler)}", "", *listed(Sampler)])


def listed(kind: type, values: Any = None, known: Container[str] = ()) -> list[str]:
    """A table of the fields of a dataclass that are not known yet, with the values that `values` has, else defaults."""
    meanings = field_docs(kind)
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for each in fields(kind):
        if each.name not in known and each.name != "preset":
            default = each.default if each.default is not MISSING else MISSING
            value = default if values is None else getattr(values, each.name)
            lines.append(f"| `{each.name}` | {shown(value)} | {plain(meanings.get(each.name, ''))} |")
    return [*lines, ""]


def field_docs(kind: type) -> dict[str, str]:
    """The strings below the fields of a dataclass and of those that it inherits from, by the fields' names."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__[:-1]):
        if not is_dataclass(each):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(each))).body[0].body
        for field, below in zip(body, body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
                found[ast.unparse(field.target)] = " ".join(str(ast.literal_eval(below.value)).split())
    return found


def shown(value: Any) -> str:
    """A value of a setting in a cell of a table."""
    if value is MISSING or value == ():
        return ""
    if isinstance(value, tuple) and value and is_dataclass(value[0]):
        return ", ".join(each.name for each in value)
    if is_dataclass(value):
        told = [(field.name, getattr(value, field.name)) for field in fields(value) if field.default is not MISSING]
        plainly = type(value)()
        return ", ".join(f"{name} {each}" for name, each in told if each != getattr(plainly, name)) or "the defaults"
    return f"`{json.dumps(value)}`".replace("|", "\\|")


def changes(first: Any, preset: Any) -> str:
    """What a preset sets otherwise than the first of its kind."""
    values = {field.name: getattr(preset, field.name) for field in fields(first) if field.name != "preset"}
    told = [f"{name}: {shown(value)}" for name, value in values.items() if value != getattr(first, name)]
    return "; ".join(told) or "the defaults above"


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
