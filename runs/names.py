"""What a run may be called, and what its directory is called then."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from runs.errors import BadValueError

NAME_LENGTH = 100
_SLUG_LENGTH = 40
#: Categories that a terminal or a file may take for something else than a character to show.
_HIDDEN = {"Cc", "Cs", "Zl", "Zp"}
_BIDI = set("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def check_name(name: str) -> str:
    """The name without blanks around it. BadValueError where it cannot be one."""
    text = name.strip(" ")
    if not text:
        raise BadValueError("a name cannot be empty")
    check_text("a name", text, NAME_LENGTH)
    if text.lstrip("#").isdigit() or text == "last":
        raise BadValueError(f"{text!r} cannot be a name: numbers and `last` already mean a run")
    if text.startswith("-"):
        raise BadValueError(f"{text!r} cannot be a name: it begins like an option")
    for mark in "@/":
        if mark in text:
            raise BadValueError(f"{text!r} cannot be a name: {mark!r} has a meaning in references to runs")
    return text


def check_tags(tags: Iterable[str]) -> list[str]:
    """Tags, each once, in their order."""
    found: dict[str, None] = {}
    for tag in tags:
        text = tag.strip(" ")
        if text:
            check_text("a tag", text, NAME_LENGTH)
            if "," in text:
                raise BadValueError(f"{text!r} cannot be a tag: commas separate tags")
            found[text] = None
    return list(found)


def check_notes(notes: str) -> str:
    """Notes may have lines and tabs, but no other character that is not shown."""
    text = notes.replace("\r\n", "\n").strip()
    check_text("notes", text, 100_000, allowed="\n\t")
    return text


def check_text(what: str, text: str, length: int, allowed: str = "") -> None:
    """BadValueError where a text is too long or has characters that cannot be shown as they are."""
    for character in text:
        hidden = unicodedata.category(character) in _HIDDEN or character in _BIDI
        if hidden and character not in allowed:
            raise BadValueError(f"{what} cannot hold the control character {character!a}")
    if len(text) > length:
        raise BadValueError(f"{what} can have at most {length} characters; this has {len(text)}")


def slug(name: str) -> str:
    """A name as part of a file name: lower-case ASCII letters and digits, joined by single hyphens."""
    text = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", text)[:_SLUG_LENGTH].strip("-") or "run"


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """`wanted` if it is free, else the same with the next number behind it."""
    taken = set(taken)
    if wanted not in taken:
        return wanted
    return numbered(re.sub(r"-\d+$", "", wanted), taken)


def numbered(stem: str, taken: Iterable[str]) -> str:
    """`stem-N`, with N one above every one that is taken."""
    stem = stem[: NAME_LENGTH - 8].rstrip()
    pattern = re.compile(re.escape(stem) + r"-(\d{1,6})")
    numbers = [int(match[1]) for name in taken if (match := pattern.fullmatch(name))]
    return f"{stem}-{max(numbers, default=0) + 1}"
