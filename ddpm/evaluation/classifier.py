"""A small classifier of MNIST's digits, whose features are a second ruler for grey digits.

Inception was trained on photographs: between images of grey digits its features tell noise well, but hardly
which digits there are. This network knows nothing but digits (shipped/README.md has the comparison).
Its features are what its last hidden layer gives *before* the ReLU: after it more than half of the numbers
are zeros, which no Gaussian describes, and a unit that never fires would be lost. Each has mean 0 and
variance 1 over MNIST's training images (`standardise`), so none counts for more than another by its scale
alone; the covariance of the training images has trace 128, and a Fréchet distance is read against that.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddpm import weights
from ddpm.config import DataConfig
from ddpm.datafiles import shown
from ddpm.errors import EngineError
from ddpm.evaluation.features import full_float32
from ddpm.evaluation.hashing import tensors_hash

#: Numbers per image.
DIMENSION = 128
#: Height and width of what the network sees, in pixels.
SIZE = 28
#: Heights and widths that are taken: MNIST's own, and with the usual black rim, which is cut off.
SIZES = (SIZE, 32)
#: Below the package `ddpm`: the weights that come along.
SHIPPED = "evaluation/shipped/mnist-classifier.safetensors"

#: Images computed at once: always as many, as results depend on it in the last bits.
_BATCH = 500


class Classifier(nn.Module):
    """Two convolutions, two linear layers, 80,202 numbers: some 99.3 % of MNIST's test images are told right.

    Takes float32 (N,1,28,28) in [0, 1].
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 16, 5)
        self.second = nn.Conv2d(16, 32, 5)
        self.hidden = nn.Linear(512, DIMENSION)
        self.output = nn.Linear(DIMENSION, 10)

    def maps(self, x: Tensor) -> Tensor:
        """What the convolutions see, (N,512)."""
        x = F.relu(F.max_pool2d(self.first(x), 2))
        return F.relu(F.max_pool2d(self.second(x), 2)).flatten(1)

    def features(self, x: Tensor) -> Tensor:
        """(N,128), before the ReLU."""
        return self.hidden(self.maps(x))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the ten digits, (N,10)."""
        return self.output(F.relu(self.features(x)))

    @torch.no_grad()
    def standardise(self, mean: Tensor, deviation: Tensor) -> None:
        """Shift and scale the features (128,) that had this mean and standard deviation to 0 and 1.

        The logits change with them: meant for an output layer that was trained on standardised features.
        """
        self.hidden.weight.copy_(self.hidden.weight / deviation[:, None])
        self.hidden.bias.copy_((self.hidden.bias - mean) / deviation)


def applies_to(data: DataConfig) -> bool:
    """Whether the images of a data set are what the classifier was trained for."""
    return data.dataset == "mnist" and data.shape[1] in SIZES


def prepare(images: Tensor) -> Tensor:
    """uint8 (N,C,H,W), C 1 or 3 (averaged), 28×28 or 32×32 (cut to the middle), to float32 (N,1,28,28).

    Raises EngineError for images of another shape or kind.
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3) or images.dtype != torch.uint8:
        raise EngineError(f"the digit classifier takes uint8 images (N,C,H,W), not {_described(images)}")
    height, width = images.shape[2:]
    if height != width or height not in SIZES:
        raise EngineError(f"the digit classifier takes images of 28×28 or 32×32 pixels, not {width}×{height}")
    rim = (height - SIZE) // 2
    images = images[:, :, rim : rim + SIZE, rim : rim + SIZE]
    if images.shape[1] == 3:  # in whole numbers: three equal channels give exactly the grey image
        images = torch.div(images.int().sum(1, keepdim=True) + 1, 3, rounding_mode="floor")
    return images.float() / 255


def read(path: Path | None = None) -> Classifier:
    """The classifier out of a safetensors file, by default the one that comes along; ready for inference.

    Raises EngineError, naming the file, where it cannot be read or holds another network.
    """
    source = resources.files("ddpm") / SHIPPED if path is None else path
    name = Path(str(source))
    try:
        blob = source.read_bytes()
    except FileNotFoundError:
        raise EngineError(f"{shown(name)} does not exist") from None
    except OSError as error:
        raise EngineError(f"{shown(name)} cannot be read: {error.strerror or error}") from None
    network = Classifier()
    weights.fill(network, weights.tensors(blob, name), name)
    return network.requires_grad_(False).eval()


def shipped_hash() -> str:
    """Of the tensors of the classifier that comes along."""
    return tensors_hash(read().state_dict())


class ClassifierFeatures:
    """Features of the digit classifier (`ddpm.evaluation.features.Features`), by default the one that comes
    along. Raises EngineError as `read` does, and for images that `prepare` does not take."""

    dimension = DIMENSION

    def __init__(self, path: Path | None = None, device: torch.device | str = "cpu") -> None:
        network = read(path)
        self.identity: dict[str, Any] = {
            "network": "mnist-classifier",
            "weights": tensors_hash(network.state_dict()),
        }
        self._device = torch.device(device)
        self._network = network.to(self._device)

    def __call__(self, images: Tensor) -> Tensor:
        if len(images) == 0:
            return torch.empty(0, DIMENSION)
        with torch.inference_mode(), full_float32():
            return torch.cat([self._features(part) for part in images.split(_BATCH)])

    def _features(self, images: Tensor) -> Tensor:
        return self._network.features(prepare(images.to(self._device))).cpu()


def _described(images: Tensor) -> str:
    return f"{str(images.dtype).removeprefix('torch.')} {tuple(images.shape)}"
