"""Where an evaluation finds and keeps what outlasts it. No torch: the command looks for weights too."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

#: The published file of the FID Inception weights.
FILE = "pt_inception-2015-12-05-6726825d.pth"
#: Names under which the weights are looked for in a folder.
NAMES = (
    FILE,
    "weights-inception-2015-12-05-6726825d.pth",
    "pt-inception-trunk.pth",
    "inception-2015-12-05.safetensors",
    "fid-inception-2015-12-05.pt",
)


@dataclass(frozen=True, slots=True)
class Places:
    data_root: Path  #: of the data sets
    weights: Path | None  #: the file of the Inception weights, where a person named one
    weights_folder: Path  #: where they are looked for, and downloaded to, otherwise
    references: Path  #: folder of reference statistics and features that were computed here
    classifier: Path | None = None  #: weights of the small classifier, where a person named them


def find_weights(folder: Path) -> Path | None:
    """The first file named like the Inception weights in `folder`, else in the folder where torch.hub keeps
    downloads (pytorch-fid and torch-fidelity put theirs there)."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    hub = Path(os.environ.get("TORCH_HOME", f"{cache}/torch")).expanduser() / "hub"
    for place in (folder, hub / "checkpoints"):
        for name in NAMES:
            if (place / name).is_file():
                return place / name
    return None
