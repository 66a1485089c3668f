"""Which solvers and step counts a person can try on a network, and what they come to in words."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ddpm import configfiles
from ddpm.config import Config
from ddpm.config_sampling import WITH_NOISE, Sampler
from ddpm.configfiles import ConfigError

#: Step counts to go through.
LADDER = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 100, 200, 500, 1000)
#: Images of a grid to go through.
COUNTS = (1, 4, 9, 16, 25, 36, 64)
#: Weights of guidance to go through; 1 is none.
GUIDANCES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is drawn: values of [sampling]; `label` None: the classes `every` in turn, or all."""

    sampler: str
    steps: int
    seed: int
    count: int
    label: int | None = None
    guidance: float = 1.0
    every: tuple[int, ...] = ()

    def values(self) -> dict[str, object]:
        """For `runs.live.Live.ask`."""
        labels = list(self.every) if self.label is None else [self.label]
        return {
            "sampler": self.sampler,
            "steps": self.steps,
            "seed": self.seed,
            "count": self.count,
            "labels": labels,
            "guidance": self.guidance,
        }


def first(config: Config) -> Attempt:
    """As the run itself draws, but few images."""
    sampling = config.sampling
    steps = sampling.resolved_steps(config.diffusion.timesteps)
    label = sampling.labels[0] if len(sampling.labels) == 1 else None
    count = min(16, sampling.count)
    every = sampling.labels if label is None else ()
    return Attempt(sampling.sampler, steps, sampling.seed, count, label, sampling.guidance, every)


def solvers(config: Config) -> list[str]:
    """Those that go together with the rest of the configuration."""
    return [name for name in typing.get_args(Sampler) if _goes(config, name)]


def title(config: Config, sampler: str) -> str:
    """A solver's name; with the noise that the run adds, where it adds any, as it draws other images then."""
    eta = config.sampling.eta
    return f"{sampler}\neta {eta:g}" if sampler in WITH_NOISE and eta else sampler


def guidable(config: Config) -> bool:
    """Whether the network can be guided: by its classes, or by an earlier step that is loaded with it."""
    if config.objective == "consistency" or (config.sampling.guidance_step and not config.sampling.guide):
        return False
    return _builds(config, guidance=2.0)


def guided(config: Config, guidance: float) -> str:
    """ "3 by 8,000 to 0.8": how much, by which earlier step, and in which part of the timesteps."""
    if guidance == 1:
        return "none"
    sampling = config.sampling
    by = f" by {sampling.guidance_step:,}" if sampling.guidance_step else ""
    start = f" from {sampling.guidance_from:g}" if sampling.guidance_from > 0 else ""
    end = f" to {sampling.guidance_to:g}" if sampling.guidance_to < 1 else ""
    return f"{guidance:g}{by}{start}{end}"


def _goes(config: Config, sampler: str) -> bool:
    return _builds(config, sampler=sampler, steps=1)


def _builds(config: Config, **sampling: object) -> bool:
    values = config.model_dump()
    values["sampling"] |= sampling
    try:
        configfiles.build(values)
    except ConfigError:
        return False
    return True


def ladder(config: Config) -> list[int]:
    """The step counts there are to try: for a consistency model one to four, as more say nothing new."""
    most = 4 if config.objective == "consistency" else config.diffusion.timesteps
    return [steps for steps in LADDER if steps <= most]


def moved(steps: Number, by: int, rungs: Sequence[Number]) -> Number:
    """The number `by` rungs above (below, where it is negative), whatever lies between two."""
    if by > 0:
        above = [rung for rung in rungs if rung > steps]
        return above[min(by, len(above)) - 1] if above else steps
    below = [rung for rung in rungs if rung < steps]
    return below[max(by, -len(below))] if below and by else steps


def columns(steps: int, count: int, rungs: Sequence[int]) -> list[int]:
    """`count` step counts to compare, `steps` among them, each about twice the one before."""
    found, below = [steps], steps
    while len(found) < count:
        smaller = [rung for rung in rungs if rung * 2 <= below]
        if smaller and len(found) % 2:
            below = smaller[-1]
            found.insert(0, below)
            continue
        larger = [rung for rung in rungs if rung >= 2 * found[-1]]
        if larger:
            found.append(larger[0])
        elif smaller:
            below = smaller[-1]
            found.insert(0, below)
        else:
            break
    return found


def next_label(label: int | None, by: int, classes: int) -> int | None:
    """The class after (or before): all, 0, 1, …, all again."""
    place = ((-1 if label is None else label) + 1 + by) % (classes + 1)
    return None if place == 0 else place - 1


def next_count(count: int, by: int) -> int:
    """More or fewer images."""
    return moved(count, by, COUNTS)


def next_guidance(guidance: float, by: int) -> float:
    """More or less guidance."""
    return moved(guidance, by, GUIDANCES)


def with_solver(attempt: Attempt, by: int, names: Sequence[str]) -> Attempt:
    """The solver after or before."""
    place = names.index(attempt.sampler) if attempt.sampler in names else 0
    return replace(attempt, sampler=names[(place + by) % len(names)])
