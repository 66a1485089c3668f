"""Configurations from and to text: presets, TOML files, `section.key=value`, and what is wrong with them.

Everything that reads or edits a configuration (the command, the form in the app, a resumed run) comes
through here, so that a bad value gets the same one clear line everywhere.
"""

from __future__ import annotations

import difflib
import functools
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from ddpm.config import Config

_UNSET = ("", "none", "null", "unset", "auto")


class ConfigError(ValueError):
    """One line per problem: the field, what was given, what is allowed."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """What a form needs to know about one value."""

    key: str  #: "training.batch_size"
    kind: Literal["int", "float", "bool", "choice", "text", "ints", "floats"]
    default: Any
    optional: bool  #: may be unset (None)
    choices: tuple[str, ...]  #: of kind "choice"
    allowed: str  #: in words: "a whole number, at least 1"
    description: str


# -- the models, as a flat list ---------------------------------------------------------------------


@functools.cache
def fields() -> dict[str, FieldSpec]:
    """Every value of the configuration by its key, in the order of the models."""
    found = {}
    for section, info in Config.model_fields.items():
        model = info.annotation
        assert isinstance(model, type)
        for name, field in model.model_fields.items():
            key = f"{section}.{name}"
            found[key] = _spec(key, field)
    return found


def _spec(key: str, field: FieldInfo) -> FieldSpec:
    parts = [p for p in _union(field.annotation) if p is not type(None)]
    optional = len(parts) < len(_union(field.annotation))
    kind: Any = "text"
    choices: tuple[str, ...] = ()
    if typing.get_origin(parts[0]) is Literal:
        kind, choices = "choice", tuple(str(c) for c in typing.get_args(parts[0]))
    elif typing.get_origin(parts[0]) is tuple:
        kind = "floats" if typing.get_args(parts[0])[0] is float else "ints"
    elif parts[0] in (int, float, bool):
        kind = parts[0].__name__
    allowed = _allowed(kind, choices, field) + (", or unset" if optional else "")
    return FieldSpec(key, kind, field.default, optional, choices, allowed, field.description or "")


def _union(annotation: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(annotation) in (types.UnionType, typing.Union)
    return typing.get_args(annotation) if is_union else (annotation,)


def _allowed(kind: str, choices: tuple[str, ...], field: FieldInfo) -> str:
    if choices:
        return "one of " + ", ".join(choices)
    words = {
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "ints": "whole numbers separated by commas",
        "floats": "numbers separated by commas",
        "text": "text",
    }[kind]
    bounds = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "multiple_of": "a multiple of"}
    for rule in field.metadata:
        for name, text in bounds.items():
            value = getattr(rule, name, None)
            if value == 2**63:
                words += f", {text} 2^63"
            elif value is not None:
                words += f", {text} {value:g}" if isinstance(value, float) else f", {text} {value}"
    return words


# -- text to values ---------------------------------------------------------------------------------


def parse_value(key: str, text: str) -> Any:
    """The value that `text` means for `key`; None for unset. Bounds are checked by `build`."""
    spec = _known(key)
    text = text.strip()
    if spec.optional and text.lower() in _UNSET:
        return None
    try:
        if spec.kind == "int":
            return _whole(text)
        if spec.kind == "float":
            return _number(text)
        if spec.kind == "bool":
            return {"true": True, "yes": True, "on": True, "1": True}.get(text.lower()) or _false(text)
        if spec.kind == "ints":
            return tuple(_whole(part) for part in _parts(text))
        if spec.kind == "floats":
            return tuple(_number(part) for part in _parts(text))
    except ValueError:
        raise ConfigError([f"{key}: {text!r} is not {spec.allowed}"]) from None
    if spec.kind == "choice" and text not in spec.choices:
        raise ConfigError([f"{key}: {text!r} is not {spec.allowed}{_nearest(text, spec.choices)}"])
    if spec.kind == "choice" and text.isdigit():  # values of a Literal are text or whole numbers, never both
        return int(text)
    return text


def _parts(text: str) -> list[str]:
    """Of "3,7" (or "3, 7", "[3 7]"); a comma at the end is nothing yet. ValueError for "3,,7"."""
    text = text.strip("[]() ")
    between = [part.split() for part in text.removesuffix(",").split(",")] if text else []
    if not all(between):
        raise ValueError(text)
    return [part for parts in between for part in parts]


def _number(text: str) -> float:
    if not text.isascii():  # Python reads digits of every script
        raise ValueError(text)
    return float(text)


def _whole(text: str) -> int:
    """Whole numbers as people write them: 20000, 20_000, 2e4."""
    number = _number(text)
    try:
        return int(text)
    except ValueError:
        if not number.is_integer():
            raise
        return int(number)


def _false(text: str) -> bool:
    if text.lower() not in ("false", "no", "off", "0"):
        raise ValueError(text)
    return False


def format_value(value: Any) -> str:
    """A value as `parse_value` reads it and as a person would type it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(str(v) for v in value)
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


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
    known = {s: v for s, v in values.items() if s in Config.model_fields and isinstance(v, Mapping)}
    known = {s: {k: v for k, v in known[s].items() if f"{s}.{k}" in fields()} for s in known}
    mistyped = _mistyped(known)
    sound = {s: {k: v for k, v in known[s].items() if f"{s}.{k}" not in mistyped} for s in known}
    problems = [*unknown, *mistyped.values()]
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
            [f"preset {name!r} does not exist; there are {', '.join(known)}{_nearest(name, known)}"]
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


def _known(key: str) -> FieldSpec:
    if key not in fields():
        raise ConfigError([f"{key}: no such key{_nearest(key, fields())}"])
    return fields()[key]


def _unknown_keys(values: Mapping[str, Any]) -> list[str]:
    problems = []
    for section, content in values.items():
        if section not in Config.model_fields:
            problems.append(f"[{_shown(section)}]: no such section{_nearest(section, Config.model_fields)}")
        elif not isinstance(content, Mapping):
            problems.append(f"{section}: {content!r} is not a section; write [{section}] and its keys below")
        else:
            keys = [f"{section}.{name}" for name in content]
            unknown = [k for k in keys if k not in fields()]
            problems += [f"{_shown(k)}: no such key{_nearest(k, fields())}" for k in unknown]
    return problems


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
        return f" of {fields()[key].allowed.removesuffix(' separated by commas')}"
    return f"; write [{', '.join(format_value(one) for one in meant)}]"


def _problem(error: ErrorDetails) -> str:
    place = [str(part) for part in error["loc"]]
    if error["type"] == "value_error":  # raised by the models' own checks, which name their field
        return error["msg"].removeprefix("Value error, ")
    key = ".".join(place[:2])
    spec = _known(key)
    near = _nearest(str(error["input"]), spec.choices)
    return f"{key}: {format_value(error['input']) or 'nothing'!r} is not {spec.allowed}{near}"


def _shown(key: str) -> str:
    """A key of somebody's file on one line, whatever is in it."""
    return key if key.isprintable() else repr(key)


def _nearest(given: str, known: Iterable[str]) -> str:
    """ "; did you mean …?" when something known is near; also by the last part of a dotted key."""
    known = list(known)
    near = difflib.get_close_matches(given, known, 1, 0.6)
    if not near:
        tails = {k.rsplit(".", 1)[-1]: k for k in reversed(known)}
        near = [tails[t] for t in difflib.get_close_matches(given.rsplit(".", 1)[-1], list(tails), 1, 0.75)]
    return f"; did you mean {near[0]}?" if near else ""
