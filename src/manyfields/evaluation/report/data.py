"""What a report shows. Fill in what is known: sections whose data is absent are left out.

Pictures are uint8 RGB `H W 3`, composited on white. Times are seconds, sizes bytes, PSNR dB; None is "not measured".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from manyfields.evaluation.costs import DEFAULT_COUNTS, CostAccount
from manyfields.evaluation.scores import Scores


@dataclass(frozen=True)
class Picture:
    """One held-out view: what it should be, what came out, and (if there is one) what layer 0 alone gives.

    >>> truth = np.zeros((4, 4, 3), np.uint8)
    >>> Picture("r_0", truth, truth, psnr=31.2).layer0 is None
    True
    """

    view: str
    truth: np.ndarray
    render: np.ndarray
    layer0: np.ndarray | None = None
    psnr: float | None = None
    foreground_psnr: float | None = None


@dataclass(frozen=True)
class PlaneMap:
    """What is known of an object's planes, as a grey picture (uint8 `H W`).

    >>> PlaneMap("XY", np.zeros((4, 4), np.uint8)).image.shape
    (4, 4)
    """

    name: str
    image: np.ndarray


@dataclass(frozen=True)
class ObjectResult:
    """One object of the set: its figures on held-out views, and one to three pictures.

    >>> ObjectResult("truck", stage=2, train_views=7, test_views=1, scores=Scores(psnr=31.2)).scores.psnr
    31.2
    """

    id: str
    group: str | None = None
    stage: int = 1  # 1: learned with the shared part, 2: fitted afterwards
    train_views: int | None = None
    test_views: int | None = None
    scores: Scores = Scores()
    layer0: Scores = Scores()
    bytes: int | None = None
    pictures: tuple[Picture, ...] = ()
    maps: tuple[PlaneMap, ...] = ()
    iou: float | None = None  # of voxels


@dataclass(frozen=True)
class Split:
    """Means over some of the objects, such as those of stage 1 and those of stage 2.

    >>> Split("stage 1", objects=40, scores=Scores(psnr=31.2)).objects
    40
    """

    name: str
    objects: int
    scores: Scores = Scores()
    layer0: Scores = Scores()
    iou: float | None = None


@dataclass(frozen=True)
class Curve:
    """One line of a chart: values at places across, which are wall times or sizes, and the steps taken by then.

    >>> Curve("held-out PSNR", places=(0.0, 60.0), values=(12.0, 27.5), steps=(0, 900)).values[-1]
    27.5
    """

    name: str
    places: tuple[float, ...]
    values: tuple[float, ...]
    steps: tuple[int, ...] = ()


@dataclass(frozen=True)
class Chart:
    """Curves that share their axes.

    >>> Chart("Stage 1", "dB", (Curve("held-out PSNR", (0.0, 60.0), (12.0, 27.5)),)).across
    'time'
    """

    title: str
    unit: str
    curves: tuple[Curve, ...]
    logarithmic: bool = False
    note: str = ""
    across: Literal["time", "bytes"] = "time"  # what places are: seconds from 0, or bytes on a logarithmic axis


@dataclass(frozen=True)
class Variant:
    """One row of `compare`, with the figures that the paper gives for it, where it does.

    >>> Variant("latent", Scores(psnr=30.1), seconds=600.0, object_bytes=4800.0).paper_psnr is None
    True
    """

    name: str
    scores: Scores = Scores()
    layer0: Scores = Scores()
    seconds: float | None = None  # the whole budget, stage 1 included
    steps: int | None = None
    object_bytes: float | None = None  # its own
    shared_bytes: float | None = None  # those that all objects share, once
    render_seconds: float | None = None
    paper_psnr: float | None = None
    paper_object_seconds: float | None = None
    paper_object_bytes: float | None = None
    note: str = ""
    coding_seconds: float | None = None  # what compressing all objects took beyond their fit
    frames_per_second: float | None = None
    bytes_with_shared: float | None = None  # its own, and its share of those that `objects` share
    objects: int | None = None


@dataclass(frozen=True)
class Comparison:
    """Variants under one budget, side by side. `picture`: views of them in one grid, `picture_note` what it shows.

    >>> Comparison((Variant("latent"), Variant("rgb")), note="ten minutes each").title
    'Variants'
    """

    variants: tuple[Variant, ...]
    charts: tuple[Chart, ...] = ()
    note: str = ""
    title: str = "Variants"
    picture: np.ndarray | None = None
    picture_note: str = ""


@dataclass(frozen=True)
class Dataset:
    """What was learned from.

    >>> views = "5000 views of 128 x 128 pixels"
    >>> Dataset("vehicles", 50, views, held_out="a tenth of the views of each object").groups is None
    True
    """

    name: str
    objects: int
    what: str  # in words: how many views of all objects, of how many pixels
    held_out: str  # the rule, in words
    groups: int | None = None


@dataclass(frozen=True)
class SetAside:
    """An object, or one view of it, that was not used, and why; or what an object that was used was taken for.

    >>> SetAside("truck", "r_3", "one colour all over").view
    'r_3'
    """

    object: str
    view: str | None
    message: str


@dataclass(frozen=True)
class Headline:
    """The figures at the top of the page. `lpips_reason` says why there is no LPIPS.

    >>> Headline(Scores(psnr=31.2), object_bytes=4800.0).shared_bytes is None
    True
    """

    scores: Scores = Scores()
    layer0: Scores = Scores()
    lpips_reason: str | None = None
    object_bytes: float | None = None  # its own
    shared_bytes: float | None = None  # those that all objects share, the codec's too
    seconds_per_object: float | None = None
    render_seconds: float | None = None
    iou: float | None = None
    bytes_with_shared: float | None = None  # its own, and its share of those that `objects` share
    objects: int | None = None


@dataclass(frozen=True)
class ReportData:
    """All of a report. `when` is ISO 8601, `machine` one line, `config` whatever JSON can hold.

    >>> ReportData("vehicles", headline=Headline(Scores(psnr=31.2)), notes=("a first try",)).objects
    ()
    """

    title: str
    when: str = ""
    machine: str = ""
    command: str = ""
    version: str = ""
    summary: str = ""
    config: Mapping[str, Any] | None = None
    dataset: Dataset | None = None
    headline: Headline | None = None
    objects: tuple[ObjectResult, ...] = ()
    splits: tuple[Split, ...] = ()
    charts: tuple[Chart, ...] = ()
    comparison: Comparison | None = None
    costs: CostAccount | None = None
    cost_counts: tuple[int, ...] = DEFAULT_COUNTS
    problems: tuple[SetAside, ...] = ()
    remarks: tuple[SetAside, ...] = ()
    notes: tuple[str, ...] = field(default=())
