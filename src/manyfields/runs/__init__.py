"""What a run folder is: fitting, adding, measuring and comparing whole sets, on disk."""

from manyfields.families.registry import presets
from manyfields.fitting.settings import FitSettings
from manyfields.runs.add import add
from manyfields.runs.comparisons.codecs import compare_codecs
from manyfields.runs.comparisons.families import compare_families
from manyfields.runs.comparisons.variants import compare
from manyfields.runs.compress import compress, size_breakdown
from manyfields.runs.demo import demo
from manyfields.runs.evaluate import evaluate
from manyfields.runs.fit import fit
from manyfields.runs.pictures import render_object, render_stream
from manyfields.runs.prior import train_prior
from manyfields.runs.rd.curves import rd
from manyfields.runs.record import RunRecord
from manyfields.runs.sampling import interpolate, sample
from manyfields.runs.settings import settings_to_json
from manyfields.shapes.fit_shape import ShapeReport, extract_surface, fit_shape

__all__ = [
    "FitSettings",
    "RunRecord",
    "ShapeReport",
    "add",
    "compare",
    "compare_codecs",
    "compare_families",
    "compress",
    "demo",
    "evaluate",
    "extract_surface",
    "fit",
    "fit_shape",
    "interpolate",
    "presets",
    "rd",
    "render_object",
    "render_stream",
    "sample",
    "settings_to_json",
    "size_breakdown",
    "train_prior",
]
