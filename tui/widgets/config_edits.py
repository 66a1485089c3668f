"""A configuration being edited as text: what it means, what is wrong, what differs. No Textual here."""

from __future__ import annotations

from typing import Any

from ddpm.config import Config
from ddpm.configfiles import ConfigError, build, fields, flatten, format_value, parse_value


class ConfigEdits:
    """The text of every field, over a base (the preset) that changes are counted from."""

    def __init__(self, config: Config, base: Config | None = None) -> None:
        self._base = flatten(base or config)
        self._values: dict[str, Any] = {}
        self._unread: dict[str, str] = {}  #: key -> what is wrong with its text
        self.texts = {key: format_value(value) for key, value in flatten(config).items()}
        self._problems: dict[str, str] = {}
        self._config: Config | None = None
        for key, text in self.texts.items():
            self._parse(key, text)
        self._check()

    def set(self, key: str, text: str) -> None:
        """Another text for a field. KeyError for an unknown one."""
        if key not in self.texts:
            raise KeyError(key)
        self.texts[key] = text
        self._parse(key, text)
        self._check()

    @property
    def config(self) -> Config | None:
        """What the texts mean; None while something is wrong."""
        return self._config

    @property
    def problems(self) -> dict[str, str]:
        """What is wrong, by the key of the field that it is told of, in one line each."""
        return self._problems

    def changed(self, key: str) -> bool:
        """Whether a field differs from the base; one that cannot be read does."""
        return key in self._unread or self._values[key] != self._base[key]

    def changes(self) -> list[str]:
        """Settings ("training.steps=2000") that make this of the base; as few as possible."""
        return [
            f"{key}={self.texts[key].strip() if key in self._unread else _setting(self._values[key])}"
            for key in self.texts
            if self.changed(key)
        ]

    def base_text(self, key: str) -> str:
        """The base's value as text; "unset" for none."""
        return _setting(self._base[key])

    def _parse(self, key: str, text: str) -> None:
        self._unread.pop(key, None)
        try:
            self._values[key] = parse_value(key, text)
        except ConfigError as error:
            self._unread[key] = error.problems[0]
        except OverflowError:  # "1e999" for a whole number
            self._unread[key] = f"{key}: {text.strip()!r} is not {fields()[key].allowed}"

    def _check(self) -> None:
        """Build it all; where a text cannot be read, with the base's value in its place."""
        nested: dict[str, dict[str, Any]] = {}
        for key in self.texts:
            section, _, name = key.partition(".")
            nested.setdefault(section, {})[name] = (self._base if key in self._unread else self._values)[key]
        found = list(self._unread.values())
        config = None
        try:
            config = build(nested)
        except ConfigError as error:
            found += error.problems
        self._config = None if found else config
        self._problems = {}
        for problem in found:
            key, _, words = problem.partition(": ")
            self._problems.setdefault(key, words)


def _setting(value: Any) -> str:
    return "unset" if value is None else format_value(value)
