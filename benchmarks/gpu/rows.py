"""The parts of the GPU benchmark, and the rows they write."""

import gc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from benchmarks.floor.networks import compact_networks
from benchmarks.floor.parts import Machine, Part
from benchmarks.floor.peaks import best
from benchmarks.floor.stage2 import PaperSettings, one_view, our_object, paper_object, samples_walked
from benchmarks.gpu.data import Packed
from benchmarks.gpu.fit import Fitted, Sizes, paper_work, to_quality
from benchmarks.gpu.kernels import Case, check, floors, timings
from manyfields.cameras import Cameras, orbit
from manyfields.evaluation.origin import origin_here
from manyfields.evaluation.record import Record, new_record, write_records

QUALITY = 29.0  # dB
WAVES = (1, 8, 32, 128)
CASES = {
    "step_8": Case(8, 512, 12),
    "step_128": Case(128, 512, 12),
    "step_8_long": Case(8, 4096, 12),
    "latent": Case(32, 256, 64, channels=16, degree=0),
}
SMALL = {"step": Case(2, 64, 12, side=16), "latent": Case(2, 32, 24, side=16, channels=16, degree=0)}


@dataclass(frozen=True)
class Rows:
    """Writes rows as soon as they are measured: a session that ends early keeps what it has."""

    path: Path
    prefix: str
    device: torch.device
    machine: Machine
    smoke: bool
    draft: bool = False

    def write(self, *rows: tuple[str, float | None, str, str]) -> None:
        records: list[Record] = []
        for name, value, unit, note in rows:
            records.append(
                new_record(
                    f"{self.prefix}.{name}", value, unit, f"{note}; {self.machine.name}", trained=[origin_here()]
                )
            )
            shown = " not reached" if value is None else f"{value:12.5g}"
            print(f"{records[-1].name:52} {shown} {unit:9} {note}", flush=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_records(self.path, records, draft=self.draft)

    def peaks(self) -> None:
        machine = self.machine
        self.write(
            ("peak.products", machine.products / 1e12, "TFLOP/s", "square matrix product, float32 (tf32 on a GPU)"),
            ("peak.halves", machine.halves / 1e12, "TFLOP/s", "square matrix product, bf16"),
            ("peak.memory", machine.memory / 1e12, "TB/s", "copy, read and written bytes"),
            ("peak.gather", (machine.gather or 0.0) / 1e12, "TB/s", "random rows of 128 bytes of 12.6 MB"),
        )

    def kernels(self, packed: Packed) -> None:
        for name, case in (SMALL if self.smoke else CASES).items():
            worst = check(self.device, replace(case, objects=min(case.objects, 4), rays=min(case.rays, 512)))
            for what, value in worst.items():
                note = "share of rays with other samples" if what == "places" else "share of the largest number"
                self.write((f"kernels.{name}.difference.{what}", value, "", f"from float64, {note}; {case.note}"))
            seconds, least = timings(self.device, case), floors(self.machine, case)
            for what, value in seconds.items():
                self.write((f"kernels.{name}.{what}.ms", 1000 * value, "ms", case.note))
                if what in least:
                    self.write((f"kernels.{name}.{what}.share_of_floor", least[what] / value, "", case.note))
            ratio = seconds["plain.forward_backward"] / seconds["forward_backward"]
            self.write((f"kernels.{name}.speedup_over_plain", ratio, "x", f"forward and backward; {case.note}"))
            self._tidy()

    def fit(self, packed: Packed) -> None:
        for wave in (1, 2) if self.smoke else WAVES:
            fitted = to_quality(packed, wave, self.device, QUALITY)
            note = f"{wave} objects side by side, {len(packed.objects)} different ones"
            reached = None if fitted.reached is None else fitted.reached / wave
            self.write(
                (f"fit.wave_{wave}.seconds_per_object_to_quality", reached, "s", f"steps to {QUALITY} dB; {note}"),
                (f"fit.wave_{wave}.seconds_per_object", fitted.seconds / wave, "s", f"all steps of stage 2; {note}"),
                (
                    f"fit.wave_{wave}.preparing",
                    fitted.preparing / wave,
                    "s",
                    f"before the first step, an object; {note}",
                ),
                (f"fit.wave_{wave}.psnr", fitted.quality, "dB", f"of floats at the end, first held-out views; {note}"),
                *self._common("fit", wave, fitted, our_object(packed, wave), packed.size**2, note),
            )
            self._tidy()

    def paper(self, packed: Packed) -> None:
        sizes = Sizes(bases=3, samples=8, steps=2) if self.smoke else Sizes()
        best_wave: tuple[float, int] | None = None
        settings = PaperSettings(channels=16, bases=sizes.bases, samples=2 * sizes.samples, learns_shared=False)
        least = paper_object(*compact_networks(), settings)
        for wave in (1, 2) if self.smoke else WAVES[1:]:
            fitted = paper_work(packed, wave, self.device, sizes)
            note = (
                f"{sizes.latent_epochs} + {sizes.decoded_epochs} epochs of latent images, {2 * sizes.samples} samples, "
                f"M = {sizes.bases}, compact decoder, frozen shared part, {wave} objects side by side; from "
                f"{sizes.steps} steps of each phase"
            )
            seconds = fitted.seconds / wave
            self.write(
                (f"paper.wave_{wave}.seconds_per_object", seconds, "s", note),
                *self._common("paper", wave, fitted, least, (packed.size // 8) ** 2, note),
            )
            best_wave = min(best_wave or (seconds, wave), (seconds, wave))
            self._tidy()
        assert best_wave is not None
        note = f"at the paper's amount of work, {best_wave[1]} objects side by side, compact decoder"
        self.write(("stage2.seconds_per_object", best_wave[0], "s", note))

    def render(self, packed: Packed) -> None:
        """Views of one fitted object from its planes and its occupancy; what comes out stays on the device."""
        shared = packed.shared().to(self.device)
        codes, bounds = packed.fitted()
        codes, bounds = codes.to(self.device), bounds.to(self.device)
        field, occupancy = shared.family.field(codes, None, bounds), shared.occupancy(codes, bounds)
        assert occupancy is not None
        size = 32 if self.smoke else packed.size
        samplers = {"": packed.final_sampler, "one_ray.": replace(packed.final_sampler, supersampling=1)}
        for name, sampler in samplers.items():
            for batch in (1, 2) if self.smoke else (1, 64):
                cameras = orbit(batch, width=size, height=size)
                given = (shared, codes, cameras[None].to(self.device), bounds, sampler, occupancy)
                views = partial(self._pictures, *given)
                seconds = best(views, self.device)
                note = f"{batch} views at once, {size}x{size}, {sampler.supersampling**2} rays a pixel, with occupancy"
                where = "" if batch == 1 else f"batch_{batch}."
                least = self.machine.floor(
                    one_view(packed, *samples_walked(field, cameras.to(self.device), bounds, occupancy, sampler, size))
                )
                self.write(
                    (f"render.{name}{where}fps", batch / seconds, "views/s", note),
                    (f"render.{name}{where}share_of_floor", batch * least / seconds, "", note),
                )
        self._tidy()

    @staticmethod
    @torch.no_grad()
    def _pictures(shared, codes, cameras: Cameras, bounds, sampler, occupancy) -> None:
        shared.pictures(codes, cameras, bounds, sampler, guide=occupancy)

    def _common(
        self, name: str, wave: int, fitted: Fitted, least: Sequence[Part], pixels: int, note: str
    ) -> list[tuple[str, float | None, str, str]]:
        rate = fitted.rays / fitted.seconds
        share = wave * self.machine.floor(least) / fitted.seconds
        return [
            (f"{name}.wave_{wave}.share_of_floor", share, "", f"peaks measured here; {note}"),
            (f"{name}.wave_{wave}.rays", rate, "rays/s", note),
            (f"{name}.wave_{wave}.images", rate / pixels, "images/s", f"{pixels} rays an image; {note}"),
            (f"{name}.wave_{wave}.peak_memory", fitted.memory / 2**20, "MB", f"of the GPU; {note}"),
        ]

    def _tidy(self) -> None:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
