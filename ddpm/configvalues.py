"""The values of the configuration one by one: what each may be, in words, and its way from and to text."""

from __future__ import annotations

import difflib
import functools
import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic.fields import FieldInfo

from ddpm.config import Config

#: The key whose numbers may be given by name.
LABELS = "sampling.labels"
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
    if key == LABELS:
        allowed = "classes by number or name, separated by commas"
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
    spec = known(key)
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
            return _classes(text) if key == LABELS else tuple(_whole(part) for part in _parts(text))
        if spec.kind == "floats":
            return tuple(_number(part) for part in _parts(text))
    except ValueError:
        raise ConfigError([f"{key}: {text!r} is not {spec.allowed}"]) from None
    if spec.kind == "choice" and text not in spec.choices:
        raise ConfigError([f"{key}: {text!r} is not {spec.allowed}{nearest(text, spec.choices)}"])
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


def _classes(text: str) -> tuple[int | str, ...]:
    """Numbers or names, which `ddpm.configfiles.build` knows: "3 7", "3,dog", "ankle boot"; "all" is none."""
    if text.lower() in ("all", *_UNSET):
        return ()
    found = list[int | str]()
    parts = text.strip("[]() ").removesuffix(",").split(",")
    for part in parts if parts != [""] else []:
        try:
            found += [_whole(word) for word in part.split()]
        except ValueError:
            found.append(part.strip())
        if not part.strip():
            raise ValueError(text)
    return tuple(found)


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


# -- messages ---------------------------------------------------------------------------------------


def known(key: str) -> FieldSpec:
    """What a key may be. ConfigError, with the nearest, where there is none."""
    if key not in fields():
        raise ConfigError([f"{key}: no such key{nearest(key, fields())}"])
    return fields()[key]


def nearest(given: str, known: Iterable[str]) -> str:
    """ "; did you mean …?" when something known is near; also by the last part of a dotted key."""
    known = list(known)
    near = difflib.get_close_matches(given, known, 1, 0.6)
    if not near:
        tails = {k.rsplit(".", 1)[-1]: k for k in reversed(known)}
        near = [tails[t] for t in difflib.get_close_matches(given.rsplit(".", 1)[-1], list(tails), 1, 0.75)]
    return f"; did you mean {near[0]}?" if near else ""
