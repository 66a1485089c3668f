"""What a score must be told with. No torch: the command and the app compare protocols too.

Two numbers may be ranked together only where their protocols are equal. The subject (which run, checkpoint
and seed) is not part of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

#: The parts that decide about FID; `companions` says what the other scores were computed with.
RANKED = ("features", "reference", "samples", "sampling")


@dataclass(frozen=True, slots=True)
class Protocol:
    """Plain data throughout, so that it goes into JSON as it is.

    features: "network", "weights" (hash) and "convention" of the feature network; "classifier" (hash) where
        digits are also judged by another classifier than the one that comes along;
    reference: "dataset", "split", "shape" [C, H, W], "images" (how many) and "data" (hash of the pixels);
    samples: how many images were compared with it; None where statistics from a file do not say;
    sampling: "sampler", "steps", "spacing", "eta" (of ddim, and above 0 of others), "variance" (of ddpm),
        "weights" ("ema" or "model") and "ema_decay", of a power-function average "ema_length";
        None for images that no sampler of ours drew;
    companions: what the other scores depend on: "kid_block", "neighbours", "reference_features",
        "classifier" (hash). Not part of the identity.
    """

    features: dict[str, Any]
    reference: dict[str, Any]
    samples: int | None
    sampling: dict[str, Any] | None
    companions: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def id(self) -> str:
        return identity(self.to_dict())


def identity(protocol: Mapping[str, Any]) -> str:
    """12 hex digits, equal for protocols whose numbers may be ranked together."""
    ranked = _told({key: protocol.get(key) for key in RANKED})
    text = json.dumps(ranked, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """What keeps two numbers from being ranked together, a few words each; empty where nothing does."""
    parts = [{key: p.get(key) for key in RANKED} for p in (one, other)]
    first, second = dict(_leaves(parts[0])), dict(_leaves(parts[1]))
    return [
        f"{key}: {_shown(first.get(key))} against {_shown(second.get(key))}"
        for key in dict.fromkeys((*first, *second))
        if first.get(key) != second.get(key)
    ]


def _told(part: Any) -> Any:
    """Without what is None: it says as much as what is left out."""
    if isinstance(part, Mapping):
        return {key: _told(value) for key, value in part.items() if value is not None}
    return part


def _leaves(part: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(part, Mapping):
        for key, value in part.items():
            yield from _leaves(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, part


def _shown(value: Any) -> str:
    text = "none" if value is None else str(value)
    return f"{text[:12]}…" if len(text) == 64 else text
