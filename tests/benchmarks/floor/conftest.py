"""PyTorch's own counter."""

from collections.abc import Callable

import pytest
from torch.utils.flop_counter import FlopCounterMode


@pytest.fixture(scope="session")
def counted() -> Callable[[Callable[[], object]], int]:
    """FLOP of what a function does."""

    def count(work: Callable[[], object]) -> int:
        counter = FlopCounterMode(display=False)
        with counter:
            work()
        return counter.get_total_flops()

    return count
