"""Configurations from and to text: presets, TOML files, `section.key=value`, and what is wrong with them.

Everything that reads or edits a configuration (the command, the form in the app, a resumed run) comes
through here, so that a bad value gets the same one clear line everywhere.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ddpm import classes
from ddpm.config import Config
from ddpm.configvalues import (
    LABELS,
    ConfigError,
    FieldSpec,
    fields,
    format_value,
    known,
    nearest,
    parse_value,
)

__all__ = [  # from here as well
    "ConfigError",
    "FieldSpec",
    "fields",
    "format_value",
    "parse_value",
]


def check_field(config: Config, key: str, text: str) -> str | None:
    """What is wrong with `text` as the value of `key` in `config`, in one line; None if nothing is.

    Problems that lie between several values are told of those that name `key` alone.
    """
    try:
        build(_with(config, {key: parse_value(key, text)}))
    except ConfigError as error:
        mine = [p for p in error.problems if p.startswith(f"{key}:")]
        return mine[0] if mine else None
    return None


# -- whole configurations ---------------------------------------------------------------------------


def build(values: Mapping[str, Any]) -> Config:
    """A configuration from nested plain values; everything wrong with them at once, as a ConfigError."""
    unknown = _unknown_keys(values)
    there = {s: v for s, v in values.items() if s in Config.model_fields and isinstance(v, Mapping)}
    there = {s: {k: v for k, v in there[s].items() if f"{s}.{k}" in fields()} for s in there}
    there, unnamed = _numbered(there)
    mistyped = _mistyped(there)
    sound = {s: {k: v for k, v in there[s].items() if f"{s}.{k}" not in mistyped} for s in there}
    problems = [*unknown, *unnamed, *mistyped.values()]
    try:
        config = Config.model_validate(sound)
    except ValidationError as error:
        # What does not fit together may be due to a value that is left out here.
        alone = (e for e in error.errors() if not problems or e["type"] != "value_error")
        raise ConfigError([*problems, *(_problem(e) for e in alone)]) from None
    if problems:
        raise ConfigError(problems)
    return config


def override(config: Config, settings: Sequence[str]) -> Config:
    """`config` with `section.key=value` settings applied, all at once."""
    changes, problems = {}, []
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            problems.append(f"--set {setting}: expected section.key=value")
            continue
        try:
            changes[key.strip()] = parse_value(key.strip(), text)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return build(_with(config, changes))


def _with(config: Config, changes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    values = config.model_dump()
    for key, value in changes.items():
        section, _, name = key.partition(".")
        values[section][name] = value
    return values


def loads(text: str, source: str) -> Config:
    """A configuration from TOML text; `source` names it in messages."""
    try:
        return build(tomllib.loads(text))
    except ConfigError as error:
        raise ConfigError(f"{source}: {p}" for p in error.problems) from None
    except (ValueError, RecursionError) as error:  # ValueError: also of numbers too long to read
        reason = str(error).splitlines()[0] if isinstance(error, ValueError) else "nested too deeply"
        raise ConfigError([f"{source}: not TOML: {reason}"]) from None


def load(path: Path) -> Config:
    """A configuration from a TOML file."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file"]) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError([f"{path}: cannot be read: {reason}"]) from None
    return loads(text, str(path))


def dumps(config: Config) -> str:
    """TOML that `loads` reads back to an equal configuration."""
    import tomli_w  # only who writes needs it: the engine runs without

    return tomli_w.dumps(config.to_dict())


def flatten(config: Config) -> dict[str, Any]:
    """Every value by its key: {"training.steps": 100000, …}."""
    return {f"{s}.{k}": v for s, section in config.model_dump().items() for k, v in section.items()}


# -- presets ----------------------------------------------------------------------------------------


def preset_names() -> list[str]:
    """Names of the presets that come with the package."""
    folder = resources.files("ddpm") / "presets"
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def preset_text(name: str) -> str:
    """A preset's file: at its top, in comments, what it reaches, on what, in how long."""
    if name not in preset_names():
        known = preset_names()
        raise ConfigError(
            [f"preset {name!r} does not exist; there are {', '.join(known)}{nearest(name, known)}"]
        )
    return (resources.files("ddpm") / "presets" / f"{name}.toml").read_text(encoding="utf-8")


def preset_summary(name: str) -> str:
    """The comment lines at the top of a preset, without their marks."""
    lines = []
    for line in preset_text(name).splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return "\n".join(lines)


def resolve(source: str, settings: Sequence[str] = ()) -> tuple[Config, str | None]:
    """(configuration, preset's name or None) of a preset or a TOML file, with settings applied."""
    if source.endswith(".toml") or "/" in source:
        try:
            path = Path(source).expanduser()
        except RuntimeError:  # ~nobody
            path = Path(source)
        return override(load(path), settings), None
    return override(loads(preset_text(source), f"preset {source}"), settings), source


# -- messages ---------------------------------------------------------------------------------------


def _unknown_keys(values: Mapping[str, Any]) -> list[str]:
    problems = []
    for section, content in values.items():
        if section not in Config.model_fields:
            problems.append(f"[{_shown(section)}]: no such section{nearest(section, Config.model_fields)}")
        elif not isinstance(content, Mapping):
            problems.append(f"{section}: {content!r} is not a section; write [{section}] and its keys below")
        else:
            keys = [f"{section}.{name}" for name in content]
            unknown = [k for k in keys if k not in fields()]
            problems += [f"{_shown(k)}: no such key{nearest(k, fields())}" for k in unknown]
    return problems


def _numbered(
    values: Mapping[str, Mapping[str, Any]],
) -> tuple[dict[str, Mapping[str, Any]], list[str]]:
    """The same with classes by their numbers, where names are given; and what is wrong with those."""
    sampling = values.get("sampling", {})
    labels = sampling.get("labels")
    if labels in ("all", ["all"]):
        return {**values, "sampling": {**sampling, "labels": []}}, []
    if not isinstance(labels, list | tuple) or not any(isinstance(label, str) for label in labels):
        return dict(values), []
    dataset = values.get("data", {}).get("dataset", fields()["data.dataset"].default)
    found = [_numbered_one(dataset, label) for label in labels]
    unknown = next((given for given, label in zip(labels, found, strict=True) if label is None), None)
    if unknown is None:
        return {**values, "sampling": {**sampling, "labels": found}}, []
    rest = {key: value for key, value in sampling.items() if key != "labels"}
    return {**values, "sampling": rest}, [f"{LABELS}: {_unknown_class(dataset, format_value(unknown))}"]


def _numbered_one(dataset: object, label: Any) -> Any:
    """The number of a class that is text; None where it has none. What is no text stays as it is."""
    if not isinstance(label, str):
        return label
    text = label.strip()
    return (
        int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else classes.number(dataset, text)
    )


def _unknown_class(dataset: object, given: str) -> str:
    names = classes.NAMES.get(dataset, ()) if isinstance(dataset, str) else ()
    if names:
        near = nearest(given.lower(), names)
        return f"there is no class {given!r}; there are {', '.join(names)}, separated by commas{near}"
    if dataset == "folder":
        return f"{given!r} is not the number of a class: those of a folder go by the order of its sub-folders"
    if dataset in fields()["data.dataset"].choices:
        return f"{given!r} is not the number of a class, and {dataset} has no names for them"
    return f"{given!r} is not {fields()[LABELS].allowed}"


def _mistyped(values: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """By key what is wrong with its kind: truth where a number belongs, and the like, which pydantic would
    turn into one; what is no list where one belongs."""
    types: dict[str, tuple[type, ...]] = {"int": (int, float), "float": (int, float), "bool": (bool,)}
    problems = {}
    for section, content in values.items():
        for name, value in content.items():
            key = f"{section}.{name}"
            spec = fields()[key]
            several = spec.kind in ("ints", "floats")
            if several and not isinstance(value, list | tuple):
                problems[key] = f"{key}: {format_value(value)!r} is no list{_as_list(key, value)}"
                continue
            given = value if several else [value]
            wanted = types.get(spec.kind.removesuffix("s") if several else spec.kind, (object,))
            wrong = [
                v for v in given if not isinstance(v, wanted) or (isinstance(v, bool) and bool not in wanted)
            ]
            if (spec.kind in types or several) and wrong and wrong[0] is not None:
                problems[key] = f"{key}: {format_value(wrong[0])!r} is not {spec.allowed}"
    return problems


def _as_list(key: str, value: Any) -> str:
    """ "; write [0.05]" of "0.05"."""
    try:
        meant = parse_value(key, format_value(value))
    except ConfigError:
        meant = ()
    texts = any(isinstance(one, str) for one in meant)
    if not meant or (texts and not isinstance(value, str)):
        return f" of {fields()[key].allowed.removesuffix('separated by commas').rstrip(', ')}"
    return f"; write [{', '.join(json.dumps(one) if texts else format_value(one) for one in meant)}]"


def _problem(error: ErrorDetails) -> str:
    place = [str(part) for part in error["loc"]]
    if error["type"] == "value_error":  # raised by the models' own checks, which name their field
        return error["msg"].removeprefix("Value error, ")
    key = ".".join(place[:2])
    spec = known(key)
    near = nearest(str(error["input"]), spec.choices)
    return f"{key}: {format_value(error['input']) or 'nothing'!r} is not {spec.allowed}{near}"


def _shown(key: str) -> str:
    """A key of somebody's file on one line, whatever is in it."""
    return key if key.isprintable() else repr(key)
