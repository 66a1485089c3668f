"""Text from users and files (names, notes, logs, errors) made safe to show: nothing in it acts."""

from __future__ import annotations

import unicodedata

#: Control, format (zero-width, bidirectional), surrogate, line and paragraph separator.
_ACTING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str, newlines: bool = False) -> str:
    """`text` with every character that acts rather than shows replaced by a visible stand-in.

    C0 controls and DEL become their control pictures (ESC is "␛"), C1 controls, bidirectional overrides,
    zero-width format characters and lone surrogates become U+FFFD; a tab becomes a space. With `newlines`,
    line ends stay (as "\\n").
    """
    if text.isprintable():
        return text
    if newlines:
        return "\n".join(printable(line) for line in text.replace("\r\n", "\n").split("\n"))
    return "".join(_shown(c) for c in text)


def _shown(character: str) -> str:
    if character == "\t":
        return " "
    if character.isprintable() or unicodedata.category(character) not in _ACTING:
        return character
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else "\ufffd"


def width(text: str) -> int:
    """Terminal cells that `text` takes; wide East Asian characters and most emoji take two."""
    if text.isascii():
        return len(text)
    return sum(_cells(c) for c in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shorten(text: str, cells: int) -> str:
    """`text` cut to at most `cells` terminal cells; what was cut ends in "…"."""
    if width(text) <= cells:
        return text
    kept, used = [], 1  # the ellipsis
    for character in text:
        used += _cells(character)
        if used > cells:
            break
        kept.append(character)
    return "".join(kept) + "…" if cells > 0 else ""


def shorten_name(name: str, cells: int) -> str:
    """`name` without its middle, in at most `cells` terminal cells: names of a series end differently."""
    if width(name) <= cells or cells < 4:
        return shorten(name, cells)
    start = max(0, len(name) - (cells - 1) * 3 // 5)
    while width(name[start:]) > (cells - 1) * 3 // 5:
        start += 1
    return shorten(name, cells - width(name[start:])) + name[start:]
