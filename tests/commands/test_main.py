"""The program as a user meets it: help, usage errors, one-line mistakes, exit statuses."""

import subprocess
import sys
from dataclasses import dataclass, fields

import pytest

from manyfields import commands
from manyfields.commands._command import Command
from manyfields.commands._fit_family import docstrings
from manyfields.commands.views import CheckViews, RenderViews, Views
from manyfields.errors import ViewError

HEAVY = ("torch", "numpy", "vtk", "pyarrow", "diffusers", "torchmetrics")


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch):
    """Put a command named `fake` into the table; its `run` does what the test says."""

    def install(action):
        @dataclass(frozen=True)
        class Fake(Command):
            """A command for a test."""

            def run(self) -> int:
                return action()

            def resume_hint(self) -> str:
                return "manyfields fake --resume"

        monkeypatch.setitem(commands.COMMANDS, "fake", Fake)

    return install


def test_help_names_every_command_and_loads_nothing_heavy():
    code = (
        "import sys; from manyfields.commands import main; status = main(['--help']);"
        f"print([name for name in {HEAVY!r} if name in sys.modules]); sys.exit(status)"
    )
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    for name in commands.COMMANDS:
        assert f"• {name}" in done.stdout


def test_help_is_quick():
    """Loading modules is what takes the time: 304 where it was written, in 0.15 s; torch alone has a thousand."""
    done = run_python("import sys; from manyfields.commands import main; main(['--help']); print(len(sys.modules))")
    assert int(done.stdout.splitlines()[-1]) < 600


@pytest.mark.parametrize("name", list(commands.COMMANDS))
def test_every_command_has_help(name, capsys):
    assert commands.main([name, "--help"]) == 0
    assert f"manyfields {name}" in capsys.readouterr().out


def test_every_flag_is_explained():
    for command in [*commands.COMMANDS.values(), RenderViews, CheckViews]:
        if command is Views:
            continue
        told = docstrings(command)
        for flag in fields(command):
            assert told.get(flag.name), f"{command.__name__}.{flag.name} has no word of help"


def test_version(capsys):
    import manyfields

    assert commands.main(["--version"]) == 0
    assert capsys.readouterr().out == f"manyfields {manyfields.__version__}\n"


def test_unknown_command_lists_the_known_ones(capsys):
    assert commands.main(["inventry", "out"]) == 2
    shown = capsys.readouterr().err
    assert "inventry" in shown and "inventory" in shown


def test_typo_in_a_flag_is_answered_with_the_right_one(capsys):
    assert commands.main(["fit", "data", "--out", "run", "--minuets", "3"]) == 2
    assert "--minutes" in capsys.readouterr().err


def test_flags_arrive():
    command = commands.parse(["fit", "data", "--out", "run", "--minutes", "2.5", "--stage1-objects", "8"])
    assert isinstance(command, commands.Fit)
    assert (command.minutes, command.stage1_objects, command.preset) == (2.5, 8, None)


def test_a_mistake_is_one_line_and_status_1(fake, capsys):
    def fail():
        raise ViewError("lego/transforms.json: frame 3\nhas no pose")

    fake(fail)
    assert commands.main(["fake"]) == 1
    assert capsys.readouterr().err == "error: lego/transforms.json: frame 3 has no pose\n"


def test_a_mistake_shows_its_traceback_on_demand(fake, monkeypatch):
    def fail():
        raise ViewError("broken")

    fake(fail)
    monkeypatch.setenv("MANYFIELDS_TRACEBACK", "1")
    with pytest.raises(ViewError):
        commands.main(["fake"])


def test_a_missing_file_is_one_line(fake, capsys):
    fake(lambda: open("/nowhere/at/all").close() or 0)
    assert commands.main(["fake"]) == 1
    assert capsys.readouterr().err == "error: /nowhere/at/all: No such file or directory\n"


def test_a_missing_extra_says_what_to_install(fake, capsys):
    def fail():
        raise ModuleNotFoundError("No module named 'cv2'", name="cv2")

    fake(fail)
    assert commands.main(["fake"]) == 1
    assert "pip install 'manyfields[photos]'" in capsys.readouterr().err


def test_a_fault_of_the_program_keeps_its_traceback(fake):
    def fail():
        raise ModuleNotFoundError("No module named 'manyfields.nothing'", name="manyfields.nothing")

    fake(fail)
    with pytest.raises(ModuleNotFoundError):
        commands.main(["fake"])


def test_ctrl_c_says_how_to_go_on(fake, capsys):
    def interrupt():
        raise KeyboardInterrupt

    fake(interrupt)
    assert commands.main(["fake"]) == 130
    assert capsys.readouterr().err.strip() == "interrupted; to go on: manyfields fake --resume"


def test_fit_resumes_the_run_it_was():
    command = commands.parse(["fit", "data", "--out", "my run"])
    assert command.resume_hint() == "manyfields fit data --out 'my run' --resume"


def test_a_reader_that_goes_away_is_no_fault():
    code = (
        "import sys; from manyfields import commands; from manyfields.commands.info import Info;"
        "Info.run = lambda self: [print('x' * 1000) for _ in range(10_000)] and 0;"
        "sys.exit(commands.main(['info', 'run']))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 141


def test_a_reader_of_help_that_goes_away_is_no_fault():
    """Help is longer than a pipe holds, or waits in the buffer until the end: neither is a traceback."""
    code = "import sys; from manyfields import commands; sys.exit(commands.main(['fit', 'octree', '--help']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 141


def test_render_refuses_an_unknown_kind_of_file(capsys):
    assert commands.main(["render", "run", "--object", "truck", "--out", "truck.exr"]) == 1
    assert ".png" in capsys.readouterr().err
