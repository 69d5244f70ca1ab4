"""The plan of the house (docs/architecture.md) holds: where things stand, what may import what, and what each has.

A rule that a file cannot keep has a line in `_architecture_lists.py`, with the reason. A line that is no longer needed
fails too, so the lists only shrink.
"""

import ast
import doctest
import importlib
import shutil
import statistics
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

import pytest

import manyfields

EXAMPLES = sorted(
    ".".join(["manyfields", *file.relative_to(Path(manyfields.__file__).parent).with_suffix("").parts])
    for file in Path(manyfields.__file__).parent.rglob("*.py")
    if ">>> " in file.read_text(encoding="utf-8")
)


@pytest.fixture(scope="module")
def plan(architecture):
    return architecture.House(Path(manyfields.__file__).parent)


def holds(broken: Iterable[str], advice: str) -> None:
    if broken := sorted(set(broken)):
        pytest.fail("\n".join([advice, *broken]), pytrace=False)


def holds_but_for(broken: Iterable[str], exceptions: Collection[str], name: str, advice: str) -> None:
    """A rule with a written list of exceptions, whose lines are all needed."""
    broken = set(broken)
    holds(broken - set(exceptions), advice)
    holds(set(exceptions) - broken, f"These keep the rule by now: delete their lines from {name}.")


# 1: the order of imports


def test_every_file_has_its_place(plan, architecture):
    lost = [file for file in plan.files if architecture.place_of(file) is None]
    holds(lost, "Put these into ORDER of tests/_architecture.py, and into docs/architecture.md.")


def test_imports_name_modules_in_full(plan):
    relative = [
        f"{file}:{node.lineno}"
        for file, tree in plan.trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    holds(relative, "Write imports in full: from manyfields.x import y.")
    holds(plan.unknown_imports, "Import modules that are there.")


def test_imports_follow_the_order(plan, architecture, lists):
    wrong = [
        f"{file} -> {target}"
        for file, targets in plan.arrows.items()
        for target in targets
        if (architecture.place_of(target) or 0) > (architecture.place_of(file) or 0)
    ]
    advice = (
        "These import what stands below them in ORDER (tests/_architecture.py). Move what both need upwards, or pass "
        "it in as an argument; an import inside a function or under TYPE_CHECKING is an import, too."
    )
    holds_but_for(wrong, lists.AGAINST_THE_ORDER, "AGAINST_THE_ORDER", advice)


def test_files_import_each_other_in_no_circle(plan, lists):
    advice = (
        "These files import each other in a circle. Put what both need into a file of its own; within a package import "
        "its modules, not the package."
    )
    holds_but_for(plan.circles(), lists.CIRCLES, "CIRCLES", advice)


def test_any_module_can_be_imported_first(plan):
    """A module loads the packages that it is in, and these what stands in their `__init__.py`."""
    advice = "These wait for each other when they are imported. Let their packages import less in __init__.py."
    holds(plan.circles_of_loading(), advice)


# 2 to 4: families


def test_only_these_import_what_is_in_a_family(plan, architecture, lists):
    found = [
        f"{file} -> {architecture.family_of(target)}"
        for file, targets in plan.arrows.items()
        for target in targets
        if architecture.family_of(target) and not file.startswith("families/")
    ]
    advice = "These ask for one family. Ask the interface of families/family.py or the registry, which know them all."
    holds_but_for(found, lists.OUTSIDE_OF_FAMILIES, "OUTSIDE_OF_FAMILIES", advice)


def test_the_registry_alone_imports_families(plan, architecture, lists):
    wrong = []
    for file, targets in plan.arrows.items():
        for target in filter(architecture.family_of, targets):
            own = architecture.family_of(file) == architecture.family_of(target)
            front = target.endswith("/family.py")
            if file == "families/registry.py" and front or own and not front:
                continue
            if file.startswith("families/"):
                wrong.append(f"{file} -> {target}")
    advice = (
        "Families know nothing of each other, and only registry.py knows them, by their family.py. Put what two need "
        "above families/, or into each."
    )
    holds_but_for(wrong, lists.BETWEEN_FAMILIES, "BETWEEN_FAMILIES", advice)


def test_nobody_asks_whether_something_is_of_a_family(plan, architecture, lists):
    theirs = {name: files for name, files in plan.classes.items() if all(map(architecture.family_of, files))}
    found = [
        f"{file}: {name}"
        for file, _, name in plan.asked_for(set(theirs))
        if architecture.family_of(file) not in set(map(architecture.family_of, theirs[name]))
    ]
    advice = "Outside its folder nothing asks isinstance of a family's class: give families a method, and call that."
    holds_but_for(found, lists.ASKED_FOR, "ASKED_FOR", advice)


def test_the_registry_names_the_folders(plan, lists):
    """A row's name, which files and commands use, is that of the folder that its network is defined in."""
    from manyfields.families.registry import FAMILIES

    folders = {row.network.__module__.split(".")[2]: name for name, row in FAMILIES.items()}
    assert set(folders) == set(plan.families), "A family is a folder of families/ and a row of its registry."
    other = [folder for folder, name in folders.items() if name.replace("-", "_") != folder]
    holds_but_for(other, lists.OTHER_NAMES, "OTHER_NAMES", "Call the folder as the registry calls the family.")


def test_families_have_what_each_has(plan, architecture, lists):
    """A front (family.py), tests, and a README that names its files in the order to read them in."""
    lacking = []
    for name in plan.families:
        folder = plan.package / "families" / name
        readme = (folder / "README.md").read_text(encoding="utf-8") if (folder / "README.md").is_file() else ""
        own = [file for file in plan.files if architecture.family_of(file) == name and not file.endswith("__init__.py")]
        lacking += [f"{name}/README.md: {each}" for each in own if f"`{each.split('/', 2)[2]}`" not in readme]
        lacking += [] if (folder / "family.py").is_file() else [f"{name}/family.py"]
        lacking += [] if (architecture.TESTS / "families" / name).is_dir() else [f"tests/families/{name}"]
    advice = "Each family has family.py, tests, and a README.md that names its files. These are missing, or not named."
    holds_but_for(lacking, lists.LACKING, "LACKING", advice)


# 5: sizes


def test_folders_are_small(plan, architecture):
    count = Counter(Path(file).parent.as_posix() for file in plan.files)
    large = [f"{folder}: {number} files" for folder, number in count.items() if number > architecture.MOST_FILES]
    holds(large, f"At most {architecture.MOST_FILES} files stand in a folder: find what belongs together.")


def test_files_hold_one_idea(plan, architecture, lists):
    lines = {file: len(text.splitlines()) for file, text in plan.texts.items() if not file.endswith("__init__.py")}
    long = [file for file, number in lines.items() if number > architecture.MOST_LINES]
    holds_but_for(
        long,
        lists.LONG,
        "LONG",
        f"At most {architecture.MOST_LINES} lines make a file: give its second idea a file of its own.",
    )
    short = [file for file, number in lines.items() if number < architecture.LEAST_LINES]
    advice = f"Fewer than {architecture.LEAST_LINES} lines: put these where they are used, or say in SHORT why not."
    holds_but_for(short, lists.SHORT, "SHORT", advice)
    median = statistics.median(lines.values())
    assert 80 <= median <= 200, f"half of all files have fewer than {median} lines: they should have 80 to 200"


# 6: names


def test_classes_have_names_of_their_own(plan):
    twice = [f"{name}: {', '.join(files)}" for name, files in plan.classes.items() if len(files) > 1]
    holds(twice, "Two classes have one name (private ones, too): say of each what it alone is.")


# 7: tests


def test_every_module_has_its_test(plan, architecture, lists):
    covered = {module for modules in lists.COVERED_BY.values() for module in modules}
    untested = [
        file
        for file in plan.files
        if not file.endswith(("__init__.py", "__main__.py"))
        and not (architecture.TESTS / architecture.test_file_of(file)).is_file()
    ]
    advice = "These have no test file of their own (fields/codes.py: fields/test_codes.py) and no line in COVERED_BY."
    holds_but_for(untested, covered, "COVERED_BY", advice)


def test_what_covers_a_module_reaches_it(plan, architecture, lists):
    wrong = []
    for test, modules in lists.COVERED_BY.items():
        if not (architecture.TESTS / test).is_file():
            wrong.append(f"{test} is not there")
            continue
        tree = ast.parse((architecture.TESTS / test).read_text(encoding="utf-8"))
        names = {name for _, name in architecture.imports_of(tree, plan.modules)} & set(plan.modules)
        reached = plan.reached_from({plan.modules[name] for name in names})
        wrong += [f"{test} does not import {module}" for module in modules if module not in reached]
    holds(wrong, "A line of COVERED_BY names a test file that runs the module.")


# 8: examples


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, examples, shapes):
    return examples.write_examples(tmp_path_factory.mktemp("examples"), shapes)


@pytest.mark.parametrize("module", EXAMPLES)
def test_examples_run(module, prepared, tmp_path, monkeypatch, steady_pilots):
    """Those of docstrings, in a folder that holds what `_examples.py` writes."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    said = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(optionflags=flags)
    for example in doctest.DocTestFinder().find(importlib.import_module(module)):
        runner.run(example, out=said.append)
    assert runner.tries
    holds(said, f"Examples in docstrings of {module} give something else than they say.")


def test_every_public_name_has_an_example(plan, architecture, lists):
    bare = []
    for package, name in plan.public_names():
        found = plan.definition(package, name)
        if found and not architecture.has_example(found[1]):
            bare.append(f"{found[0]}: {name}")
    advice = "Names in __all__ of a package are for others: show in the docstring, by >>>, how each is used."
    holds_but_for(bare, lists.WITHOUT_EXAMPLE, "WITHOUT_EXAMPLE", advice)


# 9: what is named is there


def test_what_counts_as_the_name_of_a_file(architecture):
    text = "see (docs/a.md#part), `b.py`, https://a.org/c.md, d.mdx, <run>/e.json, *.py and 'benchmarks/results/f.json'"
    assert architecture.named_files(text) == {"docs/a.md", "b.py", "benchmarks/results/f.json"}


def test_files_that_are_named_are_there(architecture, lists):
    names = architecture.tracked()
    if not names:
        pytest.skip("no repository: what is tracked is not known")
    ends = {"/".join(parts[start:]) for parts in (name.split("/") for name in names) for start in range(len(parts))}
    missing = []
    for name in names:
        path = architecture.ROOT / name
        if name == "CHANGELOG.md" or path == Path(__file__) or not name.endswith((".md", ".py", "Makefile")):
            continue  # the changelog tells of files of its time
        text = path.read_text(encoding="utf-8")
        told = architecture.prose_of(ast.parse(text)) if name.endswith(".py") else text
        for named in architecture.named_files(told) - ends:
            if name.startswith("benchmarks/") and named.startswith("benchmarks/results/"):
                continue  # what a benchmark writes may not have been measured yet
            if not named.endswith(".json") or "benchmarks/" in named:
                missing.append(f"{name} names {named}")
    advice = "Documents and docstrings name files that are not there: say what is there today."
    holds_but_for(missing, lists.OTHER_FILES, "OTHER_FILES", advice)


def test_modules_that_are_named_are_there(plan, architecture):
    """`manyfields.fields.codes.Codes` in a document names a module, and something in it."""
    missing = []
    for name in architecture.tracked():
        if name == "CHANGELOG.md" or not name.endswith((".md", ".py")):
            continue
        text = (architecture.ROOT / name).read_text(encoding="utf-8")
        told = architecture.prose_of(ast.parse(text)) if name.endswith(".py") else text
        missing += [f"{name} names {each}" for each in architecture.named_modules(told) if not plan.knows(each)]
    holds(missing, "Documents and docstrings name modules, or what is in them, that are not there.")


def test_what_numba_compiles_is_loaded_by_nothing_else(plan):
    """Without numba all else can be imported: so kernels are found by scanning, and imported where they are called."""
    kernels = set(plan.kernels())
    assert "manyfields.simd" in kernels and "manyfields.compiled" not in kernels
    wrong = [
        f"{file} imports {name}"
        for module, file in plan.modules.items()
        for name in plan.loads(file) & kernels
        if module not in kernels
    ]
    holds(wrong, "Import what numba compiles in the function that calls it, behind `compiled.compiled_for`.")
