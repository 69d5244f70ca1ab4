"""The package as a whole: lazy to import, with a front door that says what is behind it."""

import subprocess
import sys

import pytest

import manyfields


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
