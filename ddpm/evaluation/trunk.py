"""The weights of the FID Inception network: where they may lie, and that they are the right ones.

Three kinds of file hold them: pytorch-fid's and torch-fidelity's state dict (`.pth`), the same tensors as
`.safetensors`, and a TorchScript archive (`.pt`). What identifies them is the hash over the trunk's tensors
by name, so that all three are one and the same in a protocol.
"""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from ddpm.datafiles import shown
from ddpm.errors import EngineError
from ddpm.evaluation.hashing import tensors_hash as trunk_hash
from ddpm.evaluation.places import FILE as FILE

#: SHA-256 over the trunk's tensors by name, see `trunk_hash`.
HASH = "b4c3b1597ea8af56c3bbfd462016e5b90b3f17d082e87d0bd746502aa4cad985"
#: Where the file is published (by pytorch-fid); the start of its SHA-256 is in its name.
URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{FILE}"
#: SHA-256 of the TorchScript archives that are known: such a file holds code, so no other is opened.
_ARCHIVES = ("7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34",)
_PARTS = ("bn.bias", "bn.running_mean", "bn.running_var", "bn.weight", "conv.weight")


class WeightsError(EngineError):
    """Weights that are missing or are not the FID Inception's, in one line."""


def read(path: Path) -> dict[str, Tensor]:
    """The trunk's tensors by name (float32), out of any of the three kinds of file; verified.

    Raises WeightsError where the file cannot be read or holds other weights.
    """
    try:
        tensors = _tensors(path)
    except WeightsError:
        raise
    except FileNotFoundError:
        raise WeightsError(f"{shown(path)} does not exist") from None
    except OSError as error:
        raise WeightsError(f"{shown(path)} cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise
    except Exception:  # readers of foreign bytes raise anything: pickle's IndexError, struct's own error
        raise WeightsError(f"{shown(path)} is not a file of weights: nothing could be read from it") from None
    trunk = {name: tensor for name, tensor in tensors.items() if name.endswith(_PARTS)}
    if not trunk:
        raise WeightsError(f"{shown(path)} holds no tensor of the FID Inception network's names")
    found = trunk_hash(trunk)
    if found != HASH:
        raise WeightsError(
            f"{shown(path)} does not hold the FID Inception weights of 2015-12-05: "
            f"its hash is {found[:12]}…, theirs is {HASH[:12]}…"
        )
    return trunk


def _tensors(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path)
    if _is_archive(path):
        return _archive(path)
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise ValueError("no state dict")
    return loaded


def _is_archive(path: Path) -> bool:
    """Whether it is TorchScript: a zip with code."""
    if not zipfile.is_zipfile(path):
        with path.open("rb"):
            return False
    with zipfile.ZipFile(path) as file:
        return any(name.partition("/")[2].startswith("code/") for name in file.namelist())


def _archive(path: Path) -> dict[str, Tensor]:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found not in _ARCHIVES:
        raise WeightsError(f"{shown(path)} is a TorchScript archive of unknown code, which is not opened")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        stored = torch.jit.load(str(path), map_location="cpu").state_dict()
    tensors = {}
    for scope, name in _scopes().items():
        parts = {
            "conv.weight": "weight",
            "bn.bias": "beta",
            "bn.running_mean": "mean",
            "bn.running_var": "var",
        }
        for ours, theirs in parts.items():
            tensors[f"{name}.{ours}"] = stored[f"net.layers.{scope}.{theirs}"]
        # The graph's normalisation does not scale.
        tensors[f"{name}.bn.weight"] = torch.ones(len(tensors[f"{name}.conv.weight"]))
    return tensors


#: Of the TensorFlow graph: the convolutions of each kind of block, with their names here.
_A = "conv=1x1 tower.conv=5x5_1 tower.conv_1=5x5_2 tower_1.conv=3x3dbl_1 tower_1.conv_1=3x3dbl_2"
_A += " tower_1.conv_2=3x3dbl_3 tower_2.conv=_pool"
_B = "conv=3x3 tower.conv=3x3dbl_1 tower.conv_1=3x3dbl_2 tower.conv_2=3x3dbl_3"
_C = "conv=1x1 tower.conv=7x7_1 tower.conv_1=7x7_2 tower.conv_2=7x7_3 tower_1.conv=7x7dbl_1"
_C += " tower_1.conv_1=7x7dbl_2 tower_1.conv_2=7x7dbl_3 tower_1.conv_3=7x7dbl_4 tower_1.conv_4=7x7dbl_5"
_C += " tower_2.conv=_pool"
_D = "tower.conv=3x3_1 tower.conv_1=3x3_2 tower_1.conv=7x7x3_1 tower_1.conv_1=7x7x3_2"
_D += " tower_1.conv_2=7x7x3_3 tower_1.conv_3=7x7x3_4"
_E = "conv=1x1 tower_conv=3x3_1 tower_mixed_conv=3x3_2a tower_mixed_conv_1=3x3_2b tower_1_conv=3x3dbl_1"
_E += " tower_1_conv_1=3x3dbl_2 tower_1_mixed_conv=3x3dbl_3a tower_1_mixed_conv_1=3x3dbl_3b"
_E += " tower_2_conv=_pool"
_STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
_BLOCKS = {"5b": _A, "5c": _A, "5d": _A, "6a": _B, "6b": _C, "6c": _C, "6d": _C, "6e": _C, "7a": _D}
_BLOCKS |= {"7b": _E, "7c": _E}


def _scopes() -> dict[str, str]:
    """From the graph's scope of each convolution to its name here."""
    names = {"conv" + (f"_{index}" if index else ""): name for index, name in enumerate(_STEM)}
    for index, (block, pairs) in enumerate(_BLOCKS.items()):
        scope = "mixed" + (f"_{index}" if index else "")
        for theirs, _, ours in (pair.partition("=") for pair in pairs.split()):
            names[f"{scope}.{theirs}"] = f"Mixed_{block}.branch{ours}"
    return names
