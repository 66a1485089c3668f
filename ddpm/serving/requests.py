"""What clients may ask for: values checked by the configuration's models, described for OpenAPI."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ddpm import configfiles
from ddpm.classes import NAMES
from ddpm.config import Config, RestorationConfig, SamplingConfig, Section
from ddpm.config_restoration import misplaced
from ddpm.config_sampling import idle
from ddpm.configfiles import ConfigError
from ddpm.restoration.restoring import check_task
from ddpm.serving.limits import Limits, Refusal, TooMuch

GENERATE = (
    *("count", "seed", "sampler", "steps", "eta", "spacing", "rho", "clip", "labels"),
    *("guidance", "guidance_class", "guidance_from", "guidance_to"),
)
RESTORE = tuple(key for key in RestorationConfig.model_fields if key not in ("count", "batch_size"))
#: Images are numbered by 32 bits.
_NUMBERS = 2**32
_FIRST = "Number of the first image: image i of a seed is always the same"


@dataclass(frozen=True, slots=True)
class Generation:
    """Images first … first+count-1 of a seed."""

    config: Config
    first: int

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for those that can be drawn together."""
        own = self.config.sampling
        return (
            "generate",
            own.sampler,
            self.evaluations,
            own.eta,
            own.spacing,
            own.rho,
            own.clip,
            own.labels,
            own.guidance,
            own.guidance_class,
            own.guidance_from,
            own.guidance_to,
        )

    @property
    def evaluations(self) -> int:
        return self.config.sampling.evaluations(self.config.diffusion.timesteps)


def generation(body: bytes, config: Config, limits: Limits) -> Generation:
    """The request of a JSON object; what is not in it is the run's, but for one image. Raises Refusal."""
    if not config.diffuses:
        raise Refusal(f"this run learned to denoise ({config.training.objective}): it draws no images")
    given = _object(body)
    first = given.pop("first", 0)
    _check_keys(given, (*GENERATE, "first"), given.keys() - set(GENERATE))
    values = config.model_dump()
    values["sampling"].update({"count": 1, **given})
    found = _checked(lambda: configfiles.build(values))
    for key, reason in idle(found.sampling, found.model.classes).items():
        harmless = (getattr(config.sampling, key), SamplingConfig.model_fields[key].default)
        if getattr(found.sampling, key) not in harmless:  # clients may send every default
            raise Refusal(f"{key}: {reason}")
    count = found.sampling.count
    if isinstance(first, bool) or not isinstance(first, int) or not 0 <= first <= _NUMBERS - count:
        raise Refusal(f"first: {first!r} is not a whole number, at least 0, below 2^32")
    if count > limits.count:
        raise TooMuch(f"count: {count} is above {limits.count}, the most that is drawn for one request")
    return Generation(found, first)


def restoration(options: Iterable[tuple[str, str]], config: Config) -> Config:
    """`config` with options as text, each given once; what is not given is the run's. Raises Refusal."""
    given: dict[str, str] = {}
    for key, text in options:
        if key in given:
            raise Refusal(f"{key}: given twice")
        given[key] = text
    _check_keys(given, RESTORE, given.keys() - set(RESTORE))
    mask = given.get("mask", "box")
    if mask not in ("box", "random"):  # never a path: the files here are none of the client's
        raise Refusal("mask: it is box, random, or an image beside the one to restore (multipart)")
    settings = [f"restoration.{key}={text}" for key, text in {"mask": "box", **given}.items()]
    found = _checked(lambda: configfiles.override(config, settings))
    check_task(found)
    restored = found.restoration
    if wrong := misplaced(given, restored.task):
        raise Refusal(wrong.removeprefix("restoration."))
    if restored.task == "colorize" and config.data.shape[0] != 3:
        raise Refusal("task: colorize needs a model of colour images; this one knows grey")
    if restored.task == "compressed-sensing" and not restored.degrade:
        raise Refusal("task: what compressed sensing measured is no image; add degrade=true")
    return found


def tasks(config: Config) -> list[str]:
    """What the model can restore."""
    if config.objective == "consistency":
        return []
    if not config.diffuses:
        return ["denoise"]
    every = ["denoise", "inpaint", "super-resolution", "deblur", "colorize", "compressed-sensing"]
    return [task for task in every if task != "colorize" or config.data.shape[0] == 3]


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise Refusal("the body is no JSON") from None
    if not isinstance(found, dict):
        raise Refusal('the body is no JSON object; write {"count": 1}')
    return found


def _check_keys(given: Mapping[str, Any], known: Iterable[str], unknown: Iterable[str]) -> None:
    for key in unknown:
        raise Refusal(f"{key[:60]!r}: no such option; there are {', '.join(known)}")


def _checked(made: Any) -> Config:
    try:
        return made()
    except ConfigError as error:
        text = "; ".join(error.problems)
        raise Refusal(text.replace("sampling.", "").replace("restoration.", "")) from None


# -- for OpenAPI ------------------------------------------------------------------------------------


def generate_schema(config: Config, limits: Limits) -> dict[str, Any]:
    """JSON schema of the body of `generate`."""
    properties = _properties(SamplingConfig, config.sampling, GENERATE)
    properties["count"] |= {"default": 1, "maximum": limits.count}
    if names := NAMES.get(config.data.dataset):
        numbers = properties["labels"]["items"]
        properties["labels"] |= {"items": {"anyOf": [numbers, {"type": "string", "enum": list(names)}]}}
    properties["first"] = {"type": "integer", "minimum": 0, "default": 0, "description": _FIRST}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def restore_parameters(config: Config) -> list[dict[str, Any]]:
    """Query parameters of `restore`."""
    properties = _properties(RestorationConfig, config.restoration, RESTORE)
    properties["task"] |= {"enum": tasks(config)}
    properties["mask"] = {
        "enum": ["box", "random"],
        "default": "box",
        "description": "inpaint: box (in the middle) or random (pixels); or send an image beside",
    }
    return [
        {
            "name": key,
            "in": "query",
            "required": False,
            "description": schema.pop("description", ""),
            "schema": schema,
        }
        for key, schema in properties.items()
    ]


def _properties(model: type[Section], own: Section, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Schemas of some fields; defaults are the run's."""
    every = model.model_json_schema()["properties"]
    found = {key: dict(every[key]) for key in keys}
    for key, schema in found.items():
        schema.pop("title", None)
        schema["default"] = getattr(own, key)
    return found
