"""The names of the classes of the data sets that have names for them. No torch here."""

from __future__ import annotations

NAMES: dict[str, tuple[str, ...]] = {
    "cifar10": (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
    "fashion-mnist": (
        *("T-shirt", "trouser", "pullover", "dress", "coat"),
        *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
    ),
}


def name(dataset: object, label: int) -> str:
    """A class in a word: "cat", or its number."""
    known = NAMES.get(dataset, ()) if isinstance(dataset, str) else ()
    return known[label] if 0 <= label < len(known) else str(label)


def number(dataset: object, text: str) -> int | None:
    """The class of a name, in small letters or large; None where there is none of that name."""
    known = NAMES.get(dataset, ()) if isinstance(dataset, str) else ()
    return next((label for label, word in enumerate(known) if word.lower() == text.lower()), None)
