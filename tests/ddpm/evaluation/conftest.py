"""What several files of tests begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddpm import checkpoint
from tests.ddpm.test_training import run, tiny


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint folder of a tiny training on digits."""
    directory = tmp_path_factory.mktemp("trained")
    run(tiny("training.steps=20", "training.checkpoint_every=100"), directory)
    return checkpoint.folder(directory, 20)
