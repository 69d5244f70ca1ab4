"""What the sources of the package look like, read without importing them: files, imports, classes, examples, names.

An import is every `import` statement of a file, those inside functions and under TYPE_CHECKING too, and
`import_module` with a name of this package. `from manyfields.fields.codes import Codes` is an arrow to
`fields/codes.py`. `from manyfields.fields import Codes` is an arrow to `fields/__init__.py`, which has arrows to all
that it imports: so inside a package modules import each other, and never their own package. `from manyfields import
fit` is an arrow to the front door, which stands last in the order.
"""

import ast
import re
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"

# A file imports only from what stands in its own line or above it. Each name is a file or a folder of the package.
ORDER = (
    ("errors", "_version", "_io", "_checks", "_lock", "cores", "names", "memory", "compiled", "simd", "cameras"),
    ("views",),
    ("fields",),
    ("rendering",),
    ("latents",),
    ("compression",),
    ("evaluation",),
    ("shared_part",),
    ("fitting",),
    ("families/family", "families/parts", "families/codec", "families/stream_form", "families/names"),
    ("families",),
    ("families/registry",),
    ("shapes",),
    ("collection",),
    ("generation",),
    ("runs",),
    ("serving",),
    ("commands",),
    ("__main__", "__init__"),
)

MOST_FILES = 30
LEAST_LINES = 40
MOST_LINES = 300


class House:
    """A package below `source`, by the paths of its files: "fields/codes.py"."""

    def __init__(self, source: Path):
        self.package = source
        self.files = sorted(file.relative_to(source).as_posix() for file in source.rglob("*.py"))
        self.texts = {file: (source / file).read_text(encoding="utf-8") for file in self.files}
        self.trees = {file: ast.parse(text) for file, text in self.texts.items()}
        self.modules = {module_of(file): file for file in self.files}

    @cached_property
    def arrows(self) -> dict[str, dict[str, int]]:
        """For each file, the files that it imports and the first line that does."""
        found: dict[str, dict[str, int]] = {}
        for file, tree in self.trees.items():
            found[file] = {}
            for line, module in imports_of(tree, self.modules):
                if module in self.modules:
                    found[file].setdefault(self.modules[module], line)
        return found

    @cached_property
    def unknown_imports(self) -> list[str]:
        """Imports of modules of the package that are not there."""
        return [
            f"{file}:{line} imports {module}"
            for file, tree in self.trees.items()
            for line, module in imports_of(tree, self.modules)
            if module not in self.modules
        ]

    @cached_property
    def classes(self) -> dict[str, list[str]]:
        """The files that define a class of each name at their top level."""
        found: dict[str, list[str]] = {}
        for file, tree in self.trees.items():
            for node in tree.body:
                if isinstance(node, ast.ClassDef):
                    found.setdefault(node.name, []).append(file)
        return found

    @cached_property
    def families(self) -> list[str]:
        """Folders of `families/`."""
        return sorted({family for file in self.files if (family := family_of(file))})

    def reached_from(self, files: set[str]) -> set[str]:
        """All files that importing `files` may load, `files` among them; a file loads the packages that it is in."""
        done, todo = set(), list(files)
        while todo:
            if (file := todo.pop()) not in done:
                done.add(file)
                todo += self.arrows[file]
        return done

    def circles(self) -> list[str]:
        """The shortest way from each file back to itself, once a circle."""
        found: dict[frozenset[str], str] = {}
        for file in self.files:
            way = self._way_back(file)
            if way:
                found.setdefault(frozenset(way), " -> ".join(way))
        return list(found.values())

    def _way_back(self, file: str) -> list[str]:
        came = {file: ""}
        todo = [file]
        for each in todo:
            for target in self.arrows[each]:
                if target == file:
                    way = [file]
                    while each:
                        way.append(each)
                        each = came[each]
                    return way[::-1]
                if target not in came:
                    came[target] = each
                    todo.append(target)
        return []

    def circles_of_loading(self) -> list[str]:
        """Files that wait for each other when one is imported first: a module loads the packages that it is in, too."""
        waits: dict[str, set[str]] = {}
        for file in self.files:
            above = {self.modules.get(name, "") for name in packages_of(module_of(file))}
            names = {part for name in self.loads(file) for part in (name, *packages_of(name))}
            waits[file] = {self.modules[name] for name in names if name in self.modules} - above - {file}
        while done := [file for file, targets in waits.items() if not targets & waits.keys()]:
            for file in done:
                del waits[file]
        needed = {target for targets in waits.values() for target in targets}
        return sorted(waits.keys() & needed)

    def asked_for(self, names: set[str]) -> Iterator[tuple[str, int, str]]:
        """(file, line, class) where isinstance, issubclass or a pattern asks for a class of `names`."""
        for file, tree in self.trees.items():
            for node in ast.walk(tree):
                asked: list[ast.expr] = []
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("isinstance", "issubclass"):
                    asked = node.args[1:]
                elif isinstance(node, ast.MatchClass):
                    asked = [node.cls]
                for each in {word for part in asked for word in words_of(part)} & names:
                    yield file, node.lineno, each

    def public_names(self) -> Iterator[tuple[str, str]]:
        """(package's file, name) of what `__all__` of each package lists."""
        for file in self.files:
            if file.endswith("__init__.py"):
                for name in assigned(self.trees[file], "__all__"):
                    yield file, name

    def definition(self, file: str, name: str) -> tuple[str, ast.ClassDef | ast.FunctionDef] | None:
        """(file, node) of the class or function that `name` is in `file`, by its imports; None for values."""
        for node in ast.walk(self.trees[file]):
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name and node in self.trees[file].body:
                return file, node
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name) == name and (node.module or "") in self.modules:
                        return self.definition(self.modules[node.module or ""], alias.name)
        return None

    def knows(self, name: str) -> bool:
        """Whether a dotted name is a module, or something that one defines, imports or assigns at its top level."""
        module, rest = name, ""
        while module not in self.modules:
            module, _, rest = module.rpartition(".")
        tree = self.trees[self.modules[module]]
        known = {word for node in tree.body for word in defined_by(node)} | set(assigned(tree, "__all__"))
        return not rest or rest in known or rest.startswith("__")

    def loads(self, file: str) -> set[str]:
        """Modules that importing a file imports at once: what stands in functions waits until they are called."""
        inside = (ast.FunctionDef, ast.ClassDef)
        found, todo = set(), list(self.trees[file].body)
        while todo:
            node = todo.pop()
            found |= set(loaded_by(node, self.modules))
            if isinstance(node, ast.If | ast.Try | ast.With) and "TYPE_CHECKING" not in ast.unparse(node)[:60]:
                todo += [each for each in ast.iter_child_nodes(node) if not isinstance(each, inside)]
        return found

    def kernels(self) -> list[str]:
        """Modules that numba compiles: they import it, or `compiled.kernel`, at their top."""
        found = []
        for module, file in self.modules.items():
            made = "from manyfields.compiled import kernel" in self.texts[file].splitlines()
            if made or any(name.split(".")[0] == "numba" for name in self.loads(file)):
                found.append(module)
        return found


def module_of(file: str) -> str:
    parts = ["manyfields", *file.removesuffix(".py").split("/")]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def packages_of(module: str) -> list[str]:
    """The packages that a module is in: of a.b.c, a and a.b."""
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def family_of(file: str) -> str | None:
    """The family whose folder a file is in."""
    parts = file.split("/")
    return parts[1] if parts[0] == "families" and len(parts) > 2 else None


def place_of(file: str) -> int | None:
    """The line of ORDER that a file belongs to: that of the longest name that fits."""
    parts = file.removesuffix(".py").split("/")
    for end in range(len(parts), 0, -1):
        for line, names in enumerate(ORDER):
            if "/".join(parts[:end]) in names:
                return line
    return None


def loaded_by(node: ast.stmt | ast.AST, modules: Mapping[str, str]) -> list[str]:
    """Modules that one statement or call imports; `from package import module` is an import of that module."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        names = [f"{module}.{alias.name}" for alias in node.names]
        return [name if name in modules else module for name in names]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if called == "import_module" and isinstance(node.args[0].value, str):
            return [node.args[0].value]
    return []


def imports_of(tree: ast.Module, modules: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """(line, module) of every import of this package."""
    for node in ast.walk(tree):
        for name in loaded_by(node, modules):
            if name.split(".")[0] == "manyfields":
                yield node.lineno, name  # type: ignore[attr-defined]


def defined_by(node: ast.stmt) -> set[str]:
    """Names that a statement at the top of a module gives to something."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def words_of(node: ast.expr) -> set[str]:
    """Last parts of the names in an expression: `a.B | C` has B and C."""
    return {getattr(each, "attr", getattr(each, "id", "")) for each in ast.walk(node)} - {""}


def assigned(tree: ast.Module, name: str) -> list[str]:
    """The list of strings that a module assigns to `name`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return ast.literal_eval(node.value)
    return []


def has_example(node: ast.ClassDef | ast.FunctionDef) -> bool:
    """Whether the docstring of a function, or of a class or one of its methods, has an example."""
    inside = node.body if isinstance(node, ast.ClassDef) else []
    nodes = [node, *(each for each in inside if isinstance(each, ast.FunctionDef | ast.ClassDef))]
    return any(">>> " in (ast.get_docstring(each) or "") for each in nodes)


def test_file_of(file: str) -> str:
    """Where the test file of a module is, below `tests/`: fields/codes.py has fields/test_codes.py."""
    folder, _, name = file.rpartition("/")
    return f"{folder}/test_{name.lstrip('_')}".lstrip("/")


@cache
def tracked() -> tuple[str, ...]:
    """Paths of the repository's files; none in a copy without its history."""
    if not (ROOT / ".git").exists():
        return ()
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return tuple(name for name in listed.decode().split("\0") if name and (ROOT / name).is_file())


_FILE = re.compile(r"(?<![\w/.*<>{}$~-])(?:[\w-]+/)*[\w-]+\.(?:md|py|toml|sh|ts|json)\b(?![\w(*-])")


def named_files(text: str) -> set[str]:
    """Names of files of source, documents and results in a text; those of other sites and of patterns are not ours."""
    return set(_FILE.findall(re.sub(r"\w+://\S+", "", text)))


def named_modules(text: str) -> set[str]:
    """Dotted names of this package in a text."""
    return set(re.findall(r"(?<![\w./-])manyfields(?:\.[A-Za-z_]\w*)+", text))


def prose_of(tree: ast.Module) -> str:
    """All docstrings of a module."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
    return "\n".join(ast.get_docstring(node) or "" for node in nodes)
