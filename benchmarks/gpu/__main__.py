"""Speed on a GPU, in one command on a machine without network. `make bench-gpu` runs it.

    python -m benchmarks.gpu pack --work W --out FILE    # here: vehicles and a shared part, at most 60 MB
    python -m benchmarks.gpu run FILE --out DIR          # there: rows in DIR/gpu.json, named by the device
    python -m benchmarks.gpu run FILE --out DIR --smoke  # anywhere: that it runs, in a minute of a CPU

With --draft rows of code of no clean commit are taken too, and go to DIR/gpu.draft.json.

`run` needs torch, numpy, safetensors, jaxtyping and (for the kernels) Triton, which comes with torch. First it asserts
that the kernels equal the plain form in float64; then it times them, fits in waves, renders.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch


def pack(arguments: argparse.Namespace) -> None:
    from benchmarks.gpu.data import pack as pack_to

    torch.set_num_threads(arguments.threads)
    size = pack_to(arguments.work.resolve(), arguments.out, arguments.objects, arguments.minutes)
    print(f"{arguments.out}: {size / 1e6:.1f} MB")


def run(arguments: argparse.Namespace) -> None:
    from benchmarks.floor.peaks import measured_cpu, measured_cuda, short_name
    from benchmarks.gpu.data import unpack
    from benchmarks.gpu.rows import Rows
    from manyfields.evaluation.origin import current_commit, retraceable

    smoke, commit = arguments.smoke, current_commit()
    if not arguments.draft and not retraceable(commit):
        raise SystemExit(f"error: this is not the code of a commit ({commit}): run a clean checkout, or a --draft")
    if not smoke and not torch.cuda.is_available():
        raise SystemExit("error: no GPU here that PyTorch can use; try --smoke, which runs small sizes on the CPU")
    device = torch.device("cpu" if smoke and not torch.cuda.is_available() else "cuda")
    packed = unpack(arguments.file)
    if smoke:
        few = replace(packed.stage2[0], epochs=0, steps=6), replace(packed.stage2[-1], epochs=0, steps=12)
        settings = {**packed.settings, "stage2": [phase.__dict__ for phase in few]}
        packed = replace(packed, settings=settings, objects=packed.objects[:2])
    machine = measured_cpu(torch.get_num_threads()) if device.type == "cpu" else measured_cuda()
    prefix = f"smoke_{short_name(device)}" if smoke else short_name(device)
    rows = Rows(arguments.out / "gpu.json", prefix, device, machine, smoke, arguments.draft)
    rows.peaks()
    for name in arguments.parts or ("kernels", "render", "fit", "paper"):
        getattr(rows, name)(packed)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    packing = commands.add_parser("pack", help="write the data that `run` takes")
    packing.add_argument("--work", type=Path, default=Path("bench-work"))
    packing.add_argument("--out", type=Path, default=Path("bench-work/gpu.npz"))
    packing.add_argument("--objects", type=int, default=12)
    packing.add_argument("--minutes", type=float, default=0.5, help="half the time of the fit of the shared part")
    packing.add_argument("--threads", type=int, default=2)
    packing.set_defaults(do=pack)
    running = commands.add_parser("run", help="measure")
    running.add_argument("file", type=Path)
    running.add_argument("--out", type=Path, required=True)
    running.add_argument("--smoke", action="store_true", help="small sizes, on a CPU too")
    running.add_argument("--draft", action="store_true", help="try something out: rows go to gpu.draft.json")
    running.add_argument("--parts", nargs="*", choices=("kernels", "render", "fit", "paper"))
    running.set_defaults(do=run)
    arguments = parser.parse_args()
    arguments.do(arguments)


if __name__ == "__main__":
    main()
