"""What all tests share: real data, whose tests are left out where there is none, and no limit in time."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

# A machine that is busy elsewhere takes longer, which is no failure.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked `real_data` run when DDPM_REAL_DATA is set, or when `-m` speaks of them."""
    if os.environ.get("DDPM_REAL_DATA") or "real_data" in (config.option.markexpr or ""):
        return
    left_out = [item for item in items if item.get_closest_marker("real_data")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def real_data() -> Path:
    """The folder with `MNIST/raw/*-ubyte` and `cifar-10-batches-bin/*.bin`."""
    folder = os.environ.get("DDPM_REAL_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.fail(f"DDPM_REAL_DATA must name the folder of the real data sets; it is {folder!r}")
    return Path(folder)
