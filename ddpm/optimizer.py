"""AdamW, its learning rate over the steps, and its state as named tensors."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from ddpm.config import TrainingConfig

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def make_optimizer(network: nn.Module, training: TrainingConfig) -> AdamW:
    """AdamW over all weights, in one fused kernel where the device has it."""
    device = next(network.parameters()).device
    fused = device.type in ("cpu", "cuda", "mps")
    return AdamW(
        network.parameters(), training.learning_rate, weight_decay=training.weight_decay, fused=fused
    )


def learning_rate(training: TrainingConfig, step: int) -> float:
    """The rate of the optimiser step after `step` steps: linear warm-up, then as `decay` says."""
    warmed = min(1.0, (step + 1) / training.warmup_steps) if training.warmup_steps else 1.0
    rate = training.learning_rate * warmed
    if training.decay == "cosine":
        rate *= 0.5 * (1 + math.cos(math.pi * min(1.0, step / training.steps)))
    return rate


def state_tensors(optimizer: AdamW, network: nn.Module) -> dict[str, Tensor]:
    """The optimiser's moments by the names of their weights: "exp_avg.conv_in.weight", on the CPU."""
    return {
        f"{moment}.{name}": optimizer.state[parameter][moment].contiguous().cpu()
        for name, parameter in network.named_parameters()
        for moment in _MOMENTS
    }


@torch.no_grad()
def load_state(optimizer: AdamW, network: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Puts back what `state_tensors` gave; KeyError or RuntimeError if a tensor is missing or another's."""
    fused = optimizer.param_groups[0]["fused"]
    for name, parameter in network.named_parameters():
        state = optimizer.state[parameter]
        state["step"] = tensors[f"step.{name}"].to(parameter.device if fused else "cpu")
        for moment in ("exp_avg", "exp_avg_sq"):
            # Laid out in memory like its weight, as AdamW itself does it.
            state[moment] = torch.empty_like(parameter).copy_(tensors[f"{moment}.{name}"])
