"""The forward process and what is predicted, here and in diffusers' schedulers, each from the other.

Three of our schedules have a name there. Everything else is written out as betas (`trained_betas`), which
every one of diffusers' schedulers takes, so that each schedule can be carried exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from ddpm import schedules
from ddpm.carrying.network import WRITTEN_FOR
from ddpm.carrying.reading import CarryError, told
from ddpm.config import Config, DiffusionConfig

_NAMES = {"linear": "linear", "scaled_linear": "scaled_linear", "cosine": "squaredcos_cap_v2"}
_PREDICTIONS = {"epsilon": "epsilon", "x0": "sample", "v": "v_prediction"}
#: Of their variances ours; "fixed_small_log" is computed otherwise, to the same end.
_VARIANCES = {
    "fixed_large": "fixed_large",
    "fixed_small": "fixed_small",
    "fixed_small_log": "fixed_small",
    "learned_range": "learned_range",
}
#: Their schedulers, and the sampler here that does what each does, or the nearest.
SAMPLERS = {"DDPMScheduler": "ddpm", "DDIMScheduler": "ddim", "PNDMScheduler": "ddim"}
#: Those that cut each predicted image to [-1, 1] where nothing else is said; the other never does.
_CLIPPING = ("DDPMScheduler", "DDIMScheduler")
#: How far alpha-bar and beta may differ from one of our schedules: float32, multiplied up.
_NEAR = 1e-6


def to_scheduler(config: Config) -> dict[str, Any]:
    """What `scheduler/scheduler_config.json` says of a run: a DDPMScheduler with its schedule."""
    diffusion = config.diffusion
    name = None if diffusion.zero_terminal_snr else _NAMES.get(diffusion.schedule)
    return {
        "_class_name": "DDPMScheduler",
        "_diffusers_version": WRITTEN_FOR,
        "num_train_timesteps": diffusion.timesteps,
        "beta_start": diffusion.beta_start,
        "beta_end": diffusion.beta_end,
        "beta_schedule": name or "linear",
        "trained_betas": None if name else schedules.make(diffusion).betas.tolist(),
        "variance_type": diffusion.variance,
        "clip_sample": config.sampling.clip,
        "clip_sample_range": 1.0,
        "prediction_type": _PREDICTIONS[diffusion.prediction],
        "thresholding": False,
        "rescale_betas_zero_snr": False,
        "steps_offset": 0,
        # Without any signal at the end, drawing must begin there (Lin et al. 2024, section 3.3).
        "timestep_spacing": "trailing" if diffusion.zero_terminal_snr else "leading",
    }


def from_scheduler(found: Mapping[str, Any], name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(values of [diffusion], of [sampling]) that a `scheduler_config.json` describes; `name` names it.

    CarryError for a scheduler, a prediction or betas that there are none of here.
    """
    kind = found.get("_class_name", "DDPMScheduler")
    if not isinstance(kind, str) or kind not in SAMPLERS:
        raise CarryError(f"{name}: {told(kind)} is none of {', '.join(SAMPLERS)}")
    for key in ("thresholding", "use_karras_sigmas"):
        if found.get(key):
            raise CarryError(f"{name}: {key} is {told(found[key])}; no sampler here does so")
    clip = found.get("clip_sample", kind in _CLIPPING)
    if type(clip) is not bool or (clip and found.get("clip_sample_range", 1.0) != 1):
        raise CarryError(f"{name}: clip_sample_range is {told(found.get('clip_sample_range'))}; here it is 1")
    predicted = _known(found, "prediction_type", "epsilon", {v: k for k, v in _PREDICTIONS.items()}, name)
    variance = _known(found, "variance_type", "fixed_small", _VARIANCES, name)
    values = _schedule(found, name) | {"prediction": predicted, "variance": variance}
    return values, {"sampler": SAMPLERS[kind], "clip": clip}


def notes(found: Mapping[str, Any], diffusion: Mapping[str, Any], name: str) -> list[str]:
    """What a `scheduler_config.json`, read as `diffusion`, says of drawing that is not so here."""
    usual = {
        "timestep_spacing": "trailing" if diffusion["zero_terminal_snr"] else "leading",
        "steps_offset": 0,
        "set_alpha_to_one": True,
    }
    left = [
        f"{name}: {key} is {told(found[key])}: left out, sampling.spacing chooses the timesteps here"
        for key, value in usual.items()
        if found.get(key) not in (None, value)
    ]
    if found.get("_class_name") == "PNDMScheduler":
        left.append(f"{name}: of a PNDMScheduler; here it draws by ddim")
    return left


def _known(found: Mapping[str, Any], key: str, default: str, names: Mapping[str, str], file: str) -> str:
    value = found.get(key, default)
    if not isinstance(value, str) or value not in names:
        raise CarryError(f"{file}: {key} is {told(value)}; here there is {', '.join(names)}")
    return names[value]


def _schedule(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The values of [diffusion] whose schedule has the same betas."""
    betas = _betas(found, name)
    wanted = schedules.from_betas(betas)
    for values in _candidates(found, betas):
        try:
            # v: it goes with every schedule; what is predicted is not looked at here
            config = DiffusionConfig(**values, prediction="v")
        except ValidationError:
            continue
        ours = schedules.make(config)
        apart = (ours.alphas_cumprod - wanted.alphas_cumprod).abs().max()
        if max(apart.item(), (ours.betas - wanted.betas).abs().max().item()) <= _NEAR:
            return values
    told_by = "trained_betas" if found.get("trained_betas") is not None else "beta_schedule"
    raise CarryError(f"{name}: {told_by} is no schedule that there is here, nor near one")


def _candidates(found: Mapping[str, Any], betas: Tensor) -> Iterator[dict[str, Any]]:
    """Schedules that may be meant, the plain ones first."""
    said = (found.get("beta_start", 1e-4), found.get("beta_end", 0.02))
    ends = [pair for pair in (said, (betas[0].item(), betas[-1].item())) if all(map(_is_beta, pair))]
    for zero in (False, True):
        for schedule in ("linear", "scaled_linear", "cosine", "sigmoid"):
            for start, end in ends if "linear" in schedule else [(1e-4, 0.02)]:
                yield {
                    "timesteps": len(betas),
                    "schedule": schedule,
                    "beta_start": start,
                    "beta_end": end,
                    "zero_terminal_snr": zero,
                }


def _betas(found: Mapping[str, Any], name: str) -> Tensor:
    """The betas that diffusers makes of a scheduler's configuration, float64 (T,)."""
    timesteps = found.get("num_train_timesteps", 1000)
    if type(timesteps) is not int or not 2 <= timesteps <= 100_000:
        raise CarryError(f"{name}: num_train_timesteps is {told(timesteps)}; here it is from 2 to 100,000")
    given, kind = found.get("trained_betas"), found.get("beta_schedule", "linear")
    if given is not None:
        if not isinstance(given, list) or len(given) != timesteps or not all(map(_is_beta, given)):
            raise CarryError(f"{name}: trained_betas must be {timesteps} numbers above 0, up to 1")
        betas = torch.tensor(given, dtype=torch.float64)
    elif kind == "squaredcos_cap_v2":
        betas = schedules.cosine(timesteps)
    elif kind in ("linear", "scaled_linear"):
        start, end = found.get("beta_start", 1e-4), found.get("beta_end", 0.02)
        if not _is_beta(start) or not _is_beta(end):
            raise CarryError(f"{name}: beta_start and beta_end must be numbers above 0, up to 1")
        betas = (schedules.linear if kind == "linear" else schedules.scaled_linear)(timesteps, start, end)
    else:
        raise CarryError(f"{name}: beta_schedule is {told(kind)}; here there is {', '.join(_NAMES.values())}")
    return schedules.zero_terminal_snr(betas) if found.get("rescale_betas_zero_snr") is True else betas


def _is_beta(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 < value <= 1
