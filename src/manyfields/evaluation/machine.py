"""On what machine a figure was measured."""

import platform
from dataclasses import asdict, dataclass
from pathlib import Path

from manyfields.cores import available_cores


@dataclass(frozen=True)
class Machine:
    """What a reader needs to judge a time: processor, cores open to this process, threads, versions, GPU."""

    cpu: str
    cores: int
    threads: int
    torch: str
    python: str
    gpu: str | None = None

    @property
    def line(self) -> str:
        """One line, as it stands in results of record and in reports."""
        gpu = f", {self.gpu}" if self.gpu else ""
        threads = f"{self.threads} thread" + ("s" if self.threads != 1 else "")
        cores = f"{self.cores} core" + ("s" if self.cores != 1 else "")
        return f"{self.cpu}, {cores}, {threads}{gpu}, torch {self.torch}, Python {self.python}"

    def to_json(self) -> dict[str, str | int | None]:
        return asdict(self)


def describe_machine() -> Machine:
    """This machine, as seen by this process."""
    import torch

    return Machine(
        cpu=_cpu_model(),
        cores=available_cores(),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        python=platform.python_version(),
        gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    )


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return " ".join(value.split())
    return platform.processor() or platform.machine() or "unknown processor"
