"""What the Triton kernels are launched with compiles for an H100, to machine code, on a machine without one.

The interpreter lets pass what a GPU does not. In a process of its own: the suite's may have chosen the interpreter.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SHARED_MEMORY = 227 * 1024  # bytes that a program may take on an H100
SOURCE = Path(__file__).parents[2] / "src"


@pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")
def test_kernels_compile_for_an_h100(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True)
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    kernels = [line.split() for line in done.stdout.splitlines()]
    assert [name for name, _ in kernels].count("march_backward") >= 4 and {"march", "walk"} <= {n for n, _ in kernels}
    assert all(0 <= int(shared) <= SHARED_MEMORY for _, shared in kernels), done.stdout


def compile_all() -> None:
    """Call what launches kernels, with the launch itself left out; print name and shared memory of each kernel."""
    import torch
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.runtime.jit import JITFunction

    from manyfields.rendering.fused_triton import fused_march
    from manyfields.rendering.guided_triton import place_samples
    from manyfields.rendering.tiny_decoder import TinyDecoder

    if "nvidia" not in triton.backends.backends:
        print("Triton comes without its compiler for NVIDIA's GPUs")
        sys.exit(77)

    class H100:
        def get_current_device(self):
            return 0

        def get_current_stream(self, device=None):
            return 0

        def get_current_target(self):
            return GPUTarget("cuda", 90, 32)

    triton.runtime.driver.set_active(H100())
    launch = JITFunction.run

    def compile_only(self, *arguments, grid, warmup, **options):
        kernel = launch(self, *arguments, grid=grid, warmup=True, **options)
        assert kernel.asm["cubin"]
        print(self.fn.__name__, kernel.metadata.shared)
        return kernel

    JITFunction.run = compile_only

    def march(features, hidden, channels, samples, degree, activation, space, box, learn="both", **options):
        planes = torch.zeros(2, 3, 16, 16, features, requires_grad=learn != "decoder")
        values = 1 + channels * (degree + 1) ** 2
        shapes = [(hidden, features), (hidden,), (values, hidden), (values,)]
        tensors = [torch.zeros(shape, requires_grad=learn != "planes") for shape in shapes]
        decoder = TinyDecoder(*tensors, channels, degree, 15.0, activation, space)
        bounds = torch.tensor([[[-1.0] * 3, [1.0] * 3]] * 2) if box else None
        rays = [torch.zeros(2, 40, size) for size in (3, 3, samples, samples)]
        sum(tensor.sum() for tensor in fused_march(planes, bounds, decoder, *rays, **options)).backward()

    march(32, 64, 3, 16, 0, "softplus", "rgb", True)
    march(32, 64, 3, 16, 0, "softplus", "rgb", True, learn="planes")
    march(10, 24, 3, 12, 2, "relu", "rgb", False, learn="decoder")
    march(10, 24, 16, 5, 1, "relu", "latent", True, precision="ieee", deterministic=False)
    box, guide = torch.tensor([[[-1.0] * 3, [1.0] * 3]]), torch.zeros(1, 8, 8, 8)
    place_samples(torch.zeros(1, 40, 3), torch.ones(1, 40, 3), box, guide, torch.zeros(1, 40, 12), 48, 0.1)


if __name__ == "__main__":
    compile_all()
