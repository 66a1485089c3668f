"""The part of the configuration that says how a network learns: [training]."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ddpm.config_section import Section

#: Relative length of the longest power-function average: above it there is none but the plain mean (0.2887).
LONGEST = 0.28


class TrainingConfig(Section):
    """Optimisation of L_simple (Ho et al. 2020, eq. 14), or of a denoiser. A step is one optimiser step."""

    objective: Literal[
        "auto", "simple", "hybrid", "vlb", "consistency", "noise2same", "noise2noise", "supervised"
    ] = Field(
        "auto",
        description="auto: hybrid where the variance is learned, else simple; simple, hybrid (with the bound "
        "for the variance), vlb (the bound alone): a diffusion model; consistency: a trained one learns to "
        "draw in one to four steps; else a denoiser of one noise, that of [denoising], learned from noisy "
        "images alone (noise2same), from pairs of noisy ones, or clean ones",
    )
    weighting: Literal["none", "min_snr", "p2"] = Field(
        "none", description="What timesteps count in L_simple: alike, min(SNR, gamma), or P2"
    )
    gamma: float | None = Field(
        None, gt=0.0, le=1000.0, description="Of the weighting; unset: min_snr 5, p2 1"
    )
    timesteps: Literal["auto", "uniform", "loss_second_moment"] = Field(
        "auto",
        description="Drawn all alike, or by how large their loss was (auto: for vlb)",
    )
    steps: int = Field(100_000, ge=1, le=10**9, description="Optimiser steps in all")
    batch_size: int = Field(128, ge=1, le=65_536, description="Images per optimiser step")
    accumulation: int = Field(
        1, ge=1, description="Parts a batch is computed in, to save memory; divides batch_size"
    )
    learning_rate: float = Field(2e-4, gt=0.0, le=1.0, description="AdamW's learning rate after warm-up")
    weight_decay: float = Field(0.0, ge=0.0, le=1.0, description="AdamW's decoupled weight decay")
    warmup_steps: int = Field(1000, ge=0, description="Steps over which the learning rate grows linearly")
    decay: Literal["constant", "cosine"] = Field(
        "constant", description="Learning rate after warm-up: constant, or a cosine down to zero at `steps`"
    )
    label_dropout: float = Field(
        0.1, ge=0.0, le=1.0, description="Share of the images whose class is hidden, as guidance needs it"
    )
    gradient_clip: float = Field(1.0, gt=0.0, description="Largest L2 norm of the gradient")
    ema_decay: float = Field(0.9999, ge=0.0, lt=1.0, description="Decay per step of the averaged weights")
    ema_decays: tuple[float, ...] = Field(
        (), description="Decays of further averages, kept beside it: from 0.5 to below 1"
    )
    ema_lengths: tuple[float, ...] = Field(
        (),
        description="Relative lengths of power-function averages (Karras et al. 2024, sigma_rel: 0.05,0.1): "
        "above 0, at most 0.28; kept from the start of the training on",
    )
    ema_snapshots: int = Field(
        0,
        ge=0,
        description="Steps between snapshots of those, from which averages of other lengths can be made when "
        "sampling; 0: none",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Of the network's arithmetic; auto: bfloat16 where the device gains by it"
    )
    compile: Literal["auto", "off", "on"] = Field(
        "auto", description="torch.compile of the network; auto: on a GPU, from 10,000 steps on"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="Of weights, data order, noise, timesteps and dropout")
    log_every: int = Field(50, ge=1, description="Steps between two rows of metrics")
    checkpoint_every: int = Field(5000, ge=1, description="Steps between checkpoints")
    keep_checkpoints: int = Field(2, ge=1, description="Latest checkpoints kept; milestones stay for ever")
    milestone_every: int = Field(0, ge=0, description="Steps between checkpoints that stay for ever; 0: none")
    sample_every: int = Field(5000, ge=0, description="Steps between sample grids; 0: only one at the end")

    @property
    def resolved_gamma(self) -> float:
        return self.gamma or (5.0 if self.weighting == "min_snr" else 1.0)

    def resolved_timesteps(self, objective: str) -> str:
        """How timesteps are drawn for an objective as `Config.objective` tells it."""
        if self.timesteps == "auto":
            return "loss_second_moment" if objective == "vlb" else "uniform"
        return self.timesteps

    @model_validator(mode="after")
    def _averages_are_told_apart(self) -> Self:
        for key, least, most in (("ema_decays", 0.5, 1 - 1e-9), ("ema_lengths", 1e-3, LONGEST)):
            values = getattr(self, key)
            wrong = [value for value in values if not least <= value <= most]
            if wrong:
                bounds = "0.5 to below 1" if key == "ema_decays" else f"0.001 to {LONGEST}"
                raise ValueError(f"training.{key}: {wrong[0]:g} is not from {bounds}")
            if len(set(values)) < len(values):
                raise ValueError(f"training.{key}: two of them are alike")
        if self.ema_decay in self.ema_decays:
            raise ValueError(f"training.ema_decays: {self.ema_decay:g} is training.ema_decay already")
        if self.ema_snapshots and not self.ema_lengths:
            raise ValueError(
                "training.ema_snapshots: there is nothing to take snapshots of; give training.ema_lengths, "
                "as 0.05,0.1"
            )
        return self

    @model_validator(mode="after")
    def _parts_divide_batch(self) -> Self:
        if self.batch_size % self.accumulation:
            raise ValueError(
                f"training.accumulation: {self.accumulation} does not divide batch_size {self.batch_size}"
            )
        return self
