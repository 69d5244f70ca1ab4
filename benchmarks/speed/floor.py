"""The floor of one object in stage 2 on this machine, and what share of it a measured step reaches."""

from benchmarks.common import use_threads
from benchmarks.floor.parts import H200, Machine, table
from benchmarks.floor.peaks import measured_cpu
from benchmarks.floor.stage2 import cases, our_step
from benchmarks.speed.bench import Bench
from benchmarks.speed.growth import fitter_of, last_phase, seconds_of
from manyfields.evaluation.record import Record
from manyfields.memory import keep_freed_memory
from manyfields.runs import RunRecord

WAVE = 8
RAYS = 100_000


def measure(bench: Bench) -> list[Record]:
    machine = measured_cpu(bench.threads)
    note = "best of several rounds"
    rows = [
        bench.row("peak.products", machine.products / 1e9, "GFLOP/s", f"float32 matrix product, {note}"),
        bench.row("peak.halves", machine.halves / 1e9, "GFLOP/s", f"bf16 matrix product, {note}"),
        bench.row("peak.memory", machine.memory / 1e9, "GB/s", f"copy, read and written bytes, {note}"),
        bench.row("peak.gather", (machine.gather or 0.0) / 1e9, "GB/s", f"random rows of 128 bytes of 12.6 MB, {note}"),
    ]
    for name, (title, parts) in cases().items():
        print(table(title, parts, [machine, H200]))
        note = f"one object, {title}; {machine.name}"
        rows.append(bench.row(f"floor.{name}.seconds", machine.floor(parts), "s", note))
    return rows + _reached(bench, machine)


def _reached(bench: Bench, machine: Machine) -> list[Record]:
    use_threads(bench.threads)
    keep_freed_memory()
    record = RunRecord.load(bench.shared_run())
    settings, objects = record.settings, bench.objects(bench.new[:WAVE], record)
    fitter, phase = fitter_of(bench, objects), last_phase(bench, WAVE, RAYS)
    steps = seconds_of(fitter, phase) / phase.steps
    step = machine.floor(our_step(settings, phase, WAVE)) * min(phase.objects_per_step, WAVE)
    note = f"{WAVE} vehicles side by side, {phase.steps} steps of micro planes alone, {phase.rays_of_a_step(WAVE)} rays"
    return [
        bench.row("step.seconds", steps, "s", f"{note} an object", record.trained),
        bench.row(
            "step.share_of_floor",
            step / steps,
            "",
            f"{note} an object; the floor counts every sample of every ray",
            record.trained,
        ),
    ]
