"""Pixels for the page: error maps and images inside the HTML itself."""

import base64
import io

import numpy as np

# Sixteen stops from black over violet and red to pale yellow, evenly brighter: an error map reads the same in grey.
ERROR_COLOURS = np.array(
    [
        (0, 0, 4), (10, 8, 34), (28, 16, 68), (56, 15, 109), (80, 18, 123), (104, 28, 129), (129, 37, 129),
        (155, 46, 127), (181, 54, 122), (207, 64, 112), (229, 80, 100), (244, 105, 92), (251, 135, 97),
        (254, 168, 117), (254, 202, 146), (252, 253, 191),
    ],
    dtype=np.float64,
)  # fmt: skip
ERROR_FULL_SCALE = 64  # grey levels of mean absolute error that reach the palest colour: one scale for all pictures


def error_map(truth: np.ndarray, render: np.ndarray) -> np.ndarray:
    """Absolute difference of two uint8 `H W 3` images, mean over channels, as colours, uint8 `H W 3`."""
    difference = np.abs(truth.astype(np.float64) - render.astype(np.float64)).mean(axis=2)
    position = np.clip(difference / ERROR_FULL_SCALE, 0, 1) * (len(ERROR_COLOURS) - 1)
    stops = np.arange(len(ERROR_COLOURS))
    channels = [np.interp(position, stops, ERROR_COLOURS[:, c]) for c in range(3)]
    return np.stack(channels, axis=2).round().astype(np.uint8)


def data_uri(image: np.ndarray, lossless: bool = True) -> str:
    """A uint8 `H W 3` image as a PNG, or as a JPEG of a third of its size without chroma subsampling."""
    from PIL import Image

    file = io.BytesIO()
    if lossless:
        Image.fromarray(image).save(file, "PNG", optimize=True)
    else:
        Image.fromarray(image).save(file, "JPEG", quality=90, subsampling=0)
    return f"data:image/{'png' if lossless else 'jpeg'};base64," + base64.b64encode(file.getvalue()).decode("ascii")


def error_scale_css() -> str:
    """The colours of error maps as a CSS gradient, for the legend."""
    stops = ",".join(f"rgb({r:.0f},{g:.0f},{b:.0f})" for r, g, b in ERROR_COLOURS)
    return f"linear-gradient(90deg,{stops})"
