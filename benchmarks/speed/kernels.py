"""Forward and backward of one 16x16 view at 96 samples a ray: the public way, and ours in its forms.

K = 64, F = 32, four latent channels, planes and decoder learn. Mixing of base planes is not in it. All forms get the
same rays, samples and parameters, and are checked to give the same error.
"""

import shutil
from collections.abc import Callable

import torch

from benchmarks.common import medians_side_by_side, use_threads
from benchmarks.floor.parts import Machine, composite, decode, decode_back, gather, scatter
from benchmarks.floor.peaks import measured_cpu
from benchmarks.speed.bench import Bench
from benchmarks.speed.public_triplanes import render_error
from manyfields.cameras import orbit
from manyfields.compiled import compiled_for, plain_only
from manyfields.evaluation.record import Record, new_record
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes, PlaneField

SIDE, FEATURES, HIDDEN, CHANNELS = 64, 32, 64, 4
PIXELS, SAMPLES = 16, 96
NEAR, FAR = 1.7, 3.7
TOLERANCE = {"bf16": 2e-2}


def forms(compiling: bool = True) -> dict[str, Callable[[], float]]:
    """Functions that render, go back, and return the error; with `torch.compile` among them, which takes a minute."""
    generator = torch.Generator().manual_seed(0)
    config = FusedPlanesConfig(FEATURES, 0, 0, SIDE, HIDDEN, "latent", channels=CHANNELS, activation="relu")
    family = FusedPlanes(config, generator)
    planes = (0.3 * torch.randn(1, 3, SIDE, SIDE, FEATURES, generator=generator)).requires_grad_()
    first = planes.detach()[0].permute(0, 3, 1, 2).contiguous().requires_grad_()
    rays = orbit(1, width=PIXELS, height=PIXELS).rays()
    count = rays.origins.shape[1]
    length = (FAR - NEAR) / SAMPLES
    distances = (NEAR + length * (torch.arange(SAMPLES) + 0.5)).expand(1, count, SAMPLES).contiguous()
    lengths = torch.full_like(distances, length)
    colors = torch.rand(1, count, CHANNELS, generator=generator)
    scales, background = torch.ones(1, count), torch.zeros(CHANNELS)
    sampled = (rays.origins, rays.directions, distances, lengths)

    def went_back(error: torch.Tensor) -> float:
        error.backward()
        for tensor in (planes, first, *family.parameters()):
            tensor.grad = None
        return float(error.detach())

    def public() -> float:
        origins, directions, along, stretches = (tensor[0] for tensor in sampled)
        return went_back(render_error(family, first, origins, directions, along, stretches, colors[0], background))

    def ours() -> torch.Tensor:
        return PlaneField(family, planes).march_error(*sampled, colors, scales, background)

    def plain() -> float:
        with plain_only():
            return went_back(ours())

    def bf16() -> float:
        with plain_only(), torch.autocast("cpu", torch.bfloat16):
            return went_back(ours())

    compiled_form = torch.compile(ours)

    def compiled() -> float:
        with plain_only():
            return went_back(compiled_form())

    found: dict[str, Callable[[], float]] = {"public": public, "plain": plain, "bf16": bf16}
    if compiling and (shutil.which("g++") or shutil.which("clang++")):
        found["compiled"] = compiled
    elif compiling:
        print("torch.compile: there is no C++ compiler here")
    if compiled_for(planes):
        found["fused"] = lambda: went_back(ours())
    return found


def working(found: dict[str, Callable[[], float]]) -> dict[str, Callable[[], float]]:
    """The forms that run here and give the error of the public one."""
    expected = found["public"]()
    kept = {}
    for name, form in found.items():
        try:
            value = form()
        except Exception as error:  # torch.compile fails in many ways; the others then stand alone
            if name != "compiled":
                raise
            print(f"torch.compile does not run here: {' '.join(str(error).split())[:120]}")
            continue
        if abs(value - expected) > TOLERANCE.get(name, 1e-3) * expected:
            raise AssertionError(f"{name} gives an error of {value}, the public renderer {expected}")
        kept[name] = form
    return kept


def floor_seconds(machine: Machine) -> float:
    samples = PIXELS**2 * SAMPLES
    return machine.floor(
        [
            gather(samples, FEATURES, SIDE),
            scatter(samples, FEATURES, SIDE),
            decode(samples, FEATURES, HIDDEN, 1 + CHANNELS),
            decode_back(samples, FEATURES, HIDDEN, 1 + CHANNELS, FEATURES, learns=True),
            composite(samples, CHANNELS) * 3,
        ]
    )


def measure(bench: Bench) -> list[Record]:
    rows = []
    for threads in sorted({1, bench.threads}):
        use_threads(threads)
        measured = medians_side_by_side(working(forms(compiling=threads == bench.threads)))
        least = floor_seconds(measured_cpu(threads))
        note = f"one 16x16 view, 96 samples, K 64, F 32, forward and backward, {threads} threads"
        end = f"threads_{threads}"
        for name, seconds in measured.items():
            rows.append(new_record(f"cpu.kernels.{name}.ms.{end}", 1000 * seconds, "ms", note))
            rows.append(new_record(f"cpu.kernels.{name}.share_of_floor.{end}", least / seconds, "", note))
            if name != "public":
                text = f"{note}; time of the public form over this one"
                rows.append(new_record(f"cpu.kernels.{name}.speedup.{end}", measured["public"] / seconds, "x", text))
    use_threads(bench.threads)
    return rows
