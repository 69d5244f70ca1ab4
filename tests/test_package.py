"""The package as a whole: lazy to import, and its modules import in one direction only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import manyfields

PACKAGE = Path(manyfields.__file__).parent

# A module imports only from what stands before it; each name is a file or folder in the package.
ORDER = (
    *(
        "errors",
        "_checks",
        "_io",
        "_lock",
        "cores",
        "names",
        "memory",
        "compiled",
        "simd",
        "cameras",
        "views",
        "fields",
        "rendering",
        "latents",
        "compression",
        "fitting",
        "collection",
    ),
    *("generation", "evaluation", "runs", "serving", "commands", "__main__"),
)
LONGEST_FILE = 320


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part_of(file: Path) -> str:
    """The name in ORDER that a source file belongs to."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(file: Path) -> list[tuple[int, str]]:
    """(line, module) of every import of manyfields in a file, those inside functions and type-checking blocks too."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: write imports in full (from manyfields.x import y)"
            module = node.module or ""
            # `from manyfields import runs` imports the module runs; __version__ and the like are no modules.
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "manyfields" else [module]
            found += [(node.lineno, name) for name in names]
    return [(line, name) for line, name in found if name.split(".")[0] == "manyfields"]


def test_every_module_has_its_place():
    parts = {part_of(file) for file in sources()} - {"__init__"}
    assert parts <= set(ORDER), f"put {sorted(parts - set(ORDER))} into the order of CONTRIBUTING.md and of this test"


def test_imports_go_one_way():
    wrong = []
    for file in sources():
        part = part_of(file)
        if part == "__init__":
            continue  # the front door: it names modules, and loads them on use
        for line, name in imports_of(file):
            target = name.split(".")[1] if "." in name else "manyfields"
            if target in ORDER and target != part and ORDER.index(target) > ORDER.index(part):
                wrong.append(f"{file.relative_to(PACKAGE)}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_no_circle_of_files():
    """Imports at the top of files, module by module, so that circles inside one folder are found too."""
    graph: dict[str, set[str]] = {}
    names = {module_name(file): file for file in sources()}
    for name, file in names.items():
        tree = ast.parse(file.read_text(encoding="utf-8"))
        targets: set[str] = set()
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    targets.add(full if full in names else node.module)
            elif isinstance(node, ast.Import):
                targets |= {alias.name for alias in node.names}
        graph[name] = {target for target in targets if target in names and target != name}

    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, "a circle of imports: " + " -> ".join([*way[way.index(name) :], name])
        if name not in done:
            for target in graph[name]:
                visit(target, (*way, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def module_name(file: Path) -> str:
    parts = ["manyfields", *file.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_files_are_short():
    lengths = {str(file.relative_to(PACKAGE)): len(file.read_text(encoding="utf-8").splitlines()) for file in sources()}
    long = [f"{file}: {lines} lines" for file, lines in lengths.items() if lines > LONGEST_FILE]
    assert not long, "\n".join(long)


def test_import_loads_no_torch():
    code = "import sys, manyfields; print('torch' in sys.modules, 'numpy' in sys.modules, manyfields.__version__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False", manyfields.__version__], done.stderr


def test_no_optional_package_is_loaded_by_the_python_surface():
    """Who uses only what needs torch can do without every extra."""
    optional = (
        "vtkmodules",
        "trimesh",
        "skimage",
        "scipy",
        "diffusers",
        "imageio",
        "torchmetrics",
        "pycolmap",
        "cv2",
        "DracoPy",
        "opengl_basisu",
    )
    code = (
        "import sys, manyfields\n"
        "for name in manyfields.__all__: getattr(manyfields, name)\n"
        f"print([name for name in {optional!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", manyfields.__all__)
def test_every_public_name_is_there(name):
    assert getattr(manyfields, name) is not None
    assert name in dir(manyfields)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(AttributeError, match="open_collection"):
        manyfields.open_colection  # noqa: B018
