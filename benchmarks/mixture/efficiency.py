"""What it costs to evaluate one instance of a mixture, beside FiLM-modulated networks and a hypernetwork.

    python -m benchmarks.mixture.efficiency --data ../shared/data/renders/vehicles --work W --minutes 25

W/mixture is an ordinary fit of the preset `mixture-images` (one that is there is taken as it is). The others learn the
same images in the same loop for as many seconds as it took: auto-decoding from the same principal components, the same
images and pixels in a step, w0, precision and decay of rates; each at the rates that are best in short trials. What
they learn is kept in W. Then some images of designs that none has seen are adapted to each, the shared part frozen, in
`--adapting` steps at the rate that is best for it, which other images of these designs tell.

FiLM networks of several sizes are learned: the smallest that comes as near as the mixture is what its FLOPs are
compared with, or the largest, if none does: of unseen images (`mixture.flops_ratio_film`), and of those learned from,
as in the paper (`..._film_seen`). FLOPs are those of PyTorch's counter (products of matrices) for one image, frames per
second the median of 30 images one by one, memory the most that is allocated while one is made, with the numbers of its
network.

Rows go to benchmarks/results/efficiency.json; the paper's tables 1 to 3 have the same of its sizes. `--only` measures
some alone: on one core all take five times the minutes. `--minutes 3 --only mixture film_64x4 --adapting 200` is a
small run of record, of about a quarter of an hour.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import rows as records
from benchmarks.mixture.instances import BESIDE, fitted
from benchmarks.mixture.modulations import Film, HyperNetwork, Modulated, Sizes
from manyfields.collection import open_collection
from manyfields.commands._progress import progress
from manyfields.errors import RunError
from manyfields.evaluation.instances import psnr
from manyfields.evaluation.origin import Origin, origin_here
from manyfields.evaluation.record import Record, new_record, read_records
from manyfields.families.mixture.field import MixtureFamily
from manyfields.families.mixture.instance_fitter import InstanceFitter
from manyfields.families.registry import new_fitter
from manyfields.fitting.data import stable_seed
from manyfields.fitting.instance_data import InstanceData
from manyfields.fitting.phases import Phase
from manyfields.fitting.progress import Progress, silent
from manyfields.runs import evaluate
from manyfields.runs.record import RunRecord
from manyfields.runs.sources.table import source_of
from manyfields.runs.trainer import seconds_per_step
from manyfields.shared_part import SharedPart

MIXTURE = "mixture"
NETWORKS: dict[str, tuple[type[Modulated], int, int]] = {
    "hypernetwork": (HyperNetwork, 64, 4),
    "film_64x4": (Film, 64, 4),
    "film_128x5": (Film, 128, 5),
    "film_256x6": (Film, 256, 6),
}
"""By the name of their rows: width, hidden layers. Those of the mixture are 64 and 4."""
RATES: dict[type[Modulated], tuple[tuple[float, float], ...]] = {
    Film: ((4e-4, 1e-4), (4e-4, 1e-3), (1e-3, 1e-3), (4e-4, 4e-3), (1e-3, 4e-3)),
    HyperNetwork: ((1e-5, 1e-6), (1e-4, 1e-6), (1e-4, 1e-5), (1e-4, 4e-5), (4e-4, 1e-5)),
}
"""Of the SIREN that instances share, and of what reads their latent vectors."""
TRIAL = 0.04  # of the time, for each pair
ADAPTATION = (2e-2, 6e-2, 2e-1)
"""Rates of latent vectors of unseen images."""
ONE_IN = 5  # of the unseen images is measured
TUNING = slice(1, None, 20)
"""Those of the unseen that tell which rate is best: none that is measured."""
MEASURED = 256  # images that say which rates are best
UNITS = {
    "psnr_train": "dB",
    "psnr_unseen": "dB",
    "seconds": "s",
    "gflops": "GFLOP",
    "fps": "images/s",
    "memory_mb": "MB",
}


class Images:
    """The images of a finished run, and fits of other networks to them that are like its own."""

    def __init__(self, run: Path, adapting: int) -> None:
        self.record, self.work, self.adapting = RunRecord.load(run), run.parent, adapting
        settings = self.record.settings
        found = source_of(settings).find(Path(self.record.data[0]), settings, (), silent).by_id()
        self.seen = InstanceData([found[name] for name in self.record.stage1])
        self.unseen = InstanceData([found[name] for name in self.record.stage2[::ONE_IN]])
        self.tuning = InstanceData([found[name] for name in self.record.stage2[TUNING]])
        self.rates: tuple[tuple[float, float], ...] | None = None
        self.origins: dict[str, Origin] = {}
        """Of the networks beside the mixture, which may have learned in an earlier process."""
        self.phase = self.record.phases1[0]
        self.seconds = sum(value for name, value in self.record.seconds.items() if name.startswith("stage1/"))

    def family(self, name: str) -> Modulated:
        """A network that has learned nothing."""
        kind, width, layers = NETWORKS[name]
        config = self.record.settings.config()
        draw = torch.Generator().manual_seed(stable_seed(self.record.settings.seed, name))
        return kind(Sizes(width, layers, config.code_size, config.w0), draw)

    def fitter(self, family: nn.Module, data: InstanceData, average: bool = False) -> InstanceFitter:
        return new_fitter(self.record.settings, SharedPart(family, None), data, average)  # type: ignore

    def learned(self, name: str, report: Progress) -> tuple[Modulated, dict[str, float], str]:
        """A network that has learned, `psnr_train`, `psnr_unseen` and `seconds`, and its steps and rates in words.

        Raises RunError where all rates diverge.
        """
        family, file = self.family(name), self.work / f"{name}.safetensors"
        if not file.exists():
            self.learn(name, file, report)
        with safe_open(file, "pt") as kept:
            family.load_state_dict({key: kept.get_tensor(key) for key in kept.keys()})  # noqa: SIM118
            known = kept.metadata()
        figures, words = json.loads(known["figures"]), known["words"]
        if "origin" not in known:
            raise RunError(f"{file} does not say what code it learned by: remove it, and it learns again")
        self.origins[name] = Origin(**json.loads(known["origin"]))
        figures["psnr_unseen"], adapting = self.adapted(family)
        return family, figures, f"{words}, {adapting}"

    def learn(self, name: str, file: Path, report: Progress) -> None:
        """Into a file: the network, and in its metadata the figures of images it has learned from, and words."""
        step = seconds_per_step(lambda: self.fitter(self.family(name), self.seen), [self.phase], steps=22)[0]
        rates = self.rates or RATES[NETWORKS[name][0]]
        trials = {pair: self.trial(name, self.phase_of(pair, TRIAL * self.seconds / step)) for pair in rates}
        best = max(trials, key=lambda pair: trials[pair][0])
        if not trials[best][0]:
            raise RunError(f"{name} diverges at all rates that were tried: {rates}")
        # A trial beside other work is slow: what is planned for a slow step would end early.
        step = min([step, *(seconds for found, seconds in trials.values() if found)])
        fitter, phase = self.fitter(self.family(name), self.seen), self.phase_of(best, self.seconds / step)
        seconds = run(fitter, phase, lambda done: report(name, done, phase.steps))
        codes, family = fitter.store.all(), fitter.shared.family
        family.remember_average(codes)
        figures = {"psnr_train": quality(family, codes.tensors["latent"], self.seen), "seconds": seconds}
        words = f"{phase.steps} steps, rates {best[0]:g} and {best[1]:g}"
        origin = json.dumps(asdict(origin_here()))
        save_file(family.state_dict(), file, {"figures": json.dumps(figures), "words": words, "origin": origin})

    def phase_of(self, rates: tuple[float, float], steps: float) -> Phase:
        return replace(self.phase, base_rate=rates[0], fields_rate=rates[1], steps=max(1, round(steps)))

    def trial(self, name: str, phase: Phase) -> tuple[float, float]:
        """PSNR that a short fit ends with, 0 where it diverges, and seconds of a step."""
        fitter = self.fitter(self.family(name), self.seen)
        try:
            seconds = run(fitter, phase)
        except RunError:
            return 0.0, 0.0
        found = quality(fitter.shared.family, fitter.store.all().tensors["latent"], self.seen, MEASURED)
        rates = f"{phase.base_rate:g} and {phase.fields_rate:g}"
        print(f"{name}: {phase.steps} steps at rates {rates}: {found:.2f} dB in {seconds:.0f} s", flush=True)
        return found if found == found else 0.0, seconds / phase.steps

    def adapted(self, family: MixtureFamily | Modulated) -> tuple[float, str]:
        """PSNR of what a family has not seen, by the second stage of the run at its best rate, which it says."""
        (phase,) = (phase.planned(len(self.unseen), len(self.unseen)) for phase in self.record.settings.stage2)

        def found(data: InstanceData, rate: float) -> float:
            fitter = self.fitter(family, data, average=True)
            run(fitter, replace(phase, codes_rate=rate, steps=self.adapting))
            return quality(family, fitter.store.all().tensors["latent"], data)

        trials = {rate: found(self.tuning, rate) for rate in ADAPTATION}
        print("adaptation:", {rate: round(value, 2) for rate, value in trials.items()}, flush=True)
        best = max(trials, key=lambda rate: trials[rate])
        return found(self.unseen, best), f"{len(self.unseen)} unseen at {best:g}"


def run(fitter: InstanceFitter, phase: Phase, told: Callable[[int], None] = lambda done: None) -> float:
    """Seconds that a phase took."""
    fitter.begin(phase)
    began = time.monotonic()
    fitter.run(phase, after_step=lambda done, losses: told(done))
    return time.monotonic() - began


@torch.no_grad()
def quality(family: nn.Module, latents: Tensor, data: InstanceData, most: int | None = None) -> float:
    """Mean PSNR of the images of `data`, or of `most` of them, at all their pixels."""
    found = []
    for rows in torch.arange(0, len(data), 1 if most is None else -(-len(data) // most)).split(32):
        points, truth = data.whole(rows)
        found.append(psnr(family.values(latents[rows], points), truth))
    return float(torch.cat(found).mean())


def of_mixture(images: Images, folder: Path) -> tuple[MixtureFamily, dict[str, float], str]:
    """Likewise of the run itself, what it has seen from its stored bytes."""
    family, phase = open_collection(folder).shared_part.family, images.phase
    unseen, adapting = images.adapted(family)
    figures = {"psnr_train": evaluate(folder)["stages"]["stage1"]["psnr"], "psnr_unseen": unseen}
    words = f"{phase.steps} steps, rates {phase.base_rate:g} and {phase.fields_rate:g}, {adapting}"
    return family, {**figures, "seconds": images.seconds}, words


@torch.no_grad()
def costs(family: MixtureFamily | Modulated, data: InstanceData) -> dict[str, float]:
    """Of one image of an instance, its network being at hand: what is done once for an instance is not counted."""
    points, networks = data.points[None], family.networks(family.average_codes(1).tensors["latent"])

    def draw() -> Tensor:
        return family.read(networks, points)

    with FlopCounterMode(display=False) as counter:
        draw()
    seconds = []
    for _ in range(30):
        began = time.perf_counter()
        draw()
        seconds.append(time.perf_counter() - began)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        draw()
    held = most = 0
    for event in seen.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    numbers = family.config.network if isinstance(family, MixtureFamily) else family.network
    return {
        "gflops": counter.get_total_flops() / 1e9,
        "fps": 1.0 / median(seconds),
        "memory_mb": (most + 4 * numbers) / 1e6,
        "network": numbers,
        "learnable": sum(each.numel() for each in family.parameters()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=25.0, help="of the fit that W/mixture is made by")
    parser.add_argument("--only", nargs="+", choices=(MIXTURE, *NETWORKS), default=(MIXTURE, *NETWORKS))
    parser.add_argument("--rates", type=float, nargs=2, help="the pair to learn at, if trials are known to find it")
    parser.add_argument("--adapting", type=int, default=1000, help="steps in which unseen images are adapted")
    parser.add_argument("--changes", type=json.loads, default={}, help="other settings of that fit, as JSON")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--beside", action="store_true", help=f"say in the notes that it ran beside {BESIDE}")
    records.add_flags(parser, "efficiency")
    arguments = records.parse(parser)
    torch.set_num_threads(arguments.threads)
    folder = arguments.work / MIXTURE
    fitted("images", arguments.data, folder, arguments.minutes, arguments.changes)
    images = Images(folder, arguments.adapting)
    images.rates = None if arguments.rates is None else (tuple(arguments.rates),)
    note = f"{arguments.data.name}, {len(images.seen)} images, in "
    note += f"{images.seconds:.0f} s of the mixture, {arguments.adapting} steps to adapt, {arguments.threads} threads"
    note += f", beside {BESIDE}" if arguments.beside else ""
    for name in arguments.only:
        with progress("efficiency") as report:
            found = of_mixture(images, folder) if name == MIXTURE else images.learned(name, report)
        family, figures, words = found
        figures |= costs(family, images.seen)
        rows = [
            new_record(f"efficiency.{name}.{key}", value, UNITS.get(key, "numbers"), f"{note}; {words}")
            for key, value in figures.items()
        ]
        own = [images.origins[name]] if name in images.origins else []
        records.keep(arguments, records.trained_by(folder, rows, own))
    known = of_same_settings(records.file_of(arguments), note)
    if MIXTURE in known and any(name.startswith("film") for name in known):
        ratios = [ratio(known, note, seen) for seen in (False, True)]
        records.keep(arguments, records.trained_by(folder, ratios, images.origins.values()))


def of_same_settings(results: Path, note: str) -> dict[str, dict[str, float]]:
    """By network, then by figure: what a file has of networks that learned the same in as many steps."""
    found: dict[str, dict[str, float]] = {}
    for row in read_records(results):
        if row.name.startswith("efficiency.") and row.note.startswith(note) and isinstance(row.value, float | int):
            _, name, figure = row.name.split(".")
            found.setdefault(name, {})[figure] = row.value
    return found


def ratio(found: dict[str, dict[str, float]], note: str, seen: bool) -> Record:
    """FLOPs of the smallest FiLM network that reconstructs as well as the mixture does, to those of the mixture."""
    figure = "psnr_train" if seen else "psnr_unseen"
    films = sorted((each for each in found.items() if each[0].startswith("film")), key=lambda each: each[1]["gflops"])
    enough = [each for each in films if each[1][figure] >= found[MIXTURE][figure]]
    name, figures = (enough or films[-1:])[0]
    how = (
        "reaches the PSNR of the mixture"
        if enough
        else "the largest that was tried; none reaches the PSNR of the mixture"
    )
    value = figures["gflops"] / found[MIXTURE]["gflops"]
    which = "images that were learned from" if seen else "unseen images"
    return new_record(
        f"{MIXTURE}.flops_ratio_film{'_seen' if seen else ''}", value, "x", f"{note}; {name}: {how}, on {which}"
    )


if __name__ == "__main__":
    main()
