"""A protocol in few plain words, and what two of them differ in. No Textual here.

Protocols come from records that others may have written: whatever is in them is text, nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ddpm.evaluation.protocol import RANKED
from runs.humanize import UNKNOWN, guidance
from runs.text import printable

SEPARATOR = " · "

_NETWORKS = {"inception-2015-12-05": "Inception", "mnist-classifier": "MNIST classifier"}
_DATASETS = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}
#: What the words of the parts below say already.
_SAID = {
    "features.network", "features.convention", "features.weights",
    "reference.dataset", "reference.split", "reference.images", "reference.shape", "reference.data",
    "samples",
    "sampling.sampler", "sampling.steps", "sampling.spacing", "sampling.eta", "sampling.guidance",
    "sampling.guidance_step", "sampling.guidance_class",
    "sampling.weights", "sampling.ema_decay", "sampling.ema_length",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a protocol says.

    `usual` ones are details, told only where they keep apart what the part of their group says alike: key
    "reference.data" is of the group "reference".
    """

    key: str
    text: str
    usual: bool = False


def parts(protocol: Mapping[str, Any]) -> list[Part]:
    """ "Inception, tensorflow", "CIFAR-10 train 50,000", "10,000 samples", "ddim 50", "EMA", …"""
    features, reference, sampling = (_part(protocol, key) for key in ("features", "reference", "sampling"))
    found = [
        Part("features", _features(features)),
        Part("features.weights", f"weights {_hash(features.get('weights'))}", usual=True),
        Part("reference", _reference(reference)),
        Part("reference.shape", f"images of {_shape(reference.get('shape'))}", usual=True),
        Part("reference.data", f"data {_hash(reference.get('data'))}", usual=True),
        Part("samples", f"{_number(protocol.get('samples'))} samples"),
    ]
    if sampling:
        found += _sampling(sampling)
    return [*found, *_others(protocol)]


def words(protocol: Mapping[str, Any], among: Sequence[Mapping[str, Any]] = ()) -> str:
    """A protocol in one line, with what is usual left out unless it tells it from others."""
    return SEPARATOR.join(part.text for part in told(protocol, among))


def told(protocol: Mapping[str, Any], among: Sequence[Mapping[str, Any]] = ()) -> list[Part]:
    """The parts that `words` says."""
    others = [_texts(other) for other in among]
    return [p for p in parts(protocol) if not p.usual or _matters(p, _texts(protocol), others)]


def label(protocol: Mapping[str, Any], among: Sequence[Mapping[str, Any]]) -> str:
    """Only what tells a protocol from the others; "" where nothing does."""
    others = [_texts(other) for other in among]
    differ = [p for p in told(protocol, among) if any(other.get(p.key) != p.text for other in others)]
    return SEPARATOR.join(part.text for part in differ)


def contrasts(protocols: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The parts in which not all are alike, by key: what each protocol says, "–" where it says nothing."""
    kinds = [{part.key: part.text for part in told(protocol, protocols)} for protocol in protocols]
    rows = {key: [kind.get(key, UNKNOWN) for kind in kinds] for kind in kinds for key in kind}
    return {key: texts for key, texts in rows.items() if len(set(texts)) > 1}


def _texts(protocol: Mapping[str, Any]) -> dict[str, str]:
    return {part.key: part.text for part in parts(protocol)}


def _matters(part: Part, mine: Mapping[str, str], others: Sequence[Mapping[str, str]]) -> bool:
    """Whether a detail differs from that of a protocol whose group says the same."""
    group = part.key.partition(".")[0]
    return any(o.get(group) == mine.get(group) and o.get(part.key) != part.text for o in others)


def dataset(name: Any) -> str:
    """A data set as papers write it."""
    return _DATASETS.get(str(name), _text(name))


def _features(features: Mapping[str, Any]) -> str:
    network = features.get("network")
    name = _NETWORKS.get(str(network), _text(network))
    convention = features.get("convention")
    return name if convention is None else f"{name}, {_text(convention)}"


def _reference(reference: Mapping[str, Any]) -> str:
    name, split = dataset(reference.get("dataset")), _text(reference.get("split"))
    return f"{name} {split} {_number(reference.get('images'))}"


def _sampling(sampling: Mapping[str, Any]) -> Iterator[Part]:
    yield Part("sampling", f"{_text(sampling.get('sampler'))} {_number(sampling.get('steps'))}")
    spacing, eta = sampling.get("spacing"), sampling.get("eta")
    yield Part("sampling.spacing", f"{_text(spacing)} steps", usual=spacing in (None, "uniform"))
    yield Part("sampling.eta", f"eta {_text(eta)}", usual=not eta)
    guided = sampling.get("guidance")
    yield Part("sampling.guidance", printable(guidance(sampling)), usual=guided is None)
    weights = sampling.get("weights")
    yield Part("sampling.weights", {"ema": "EMA", "model": "no EMA"}.get(str(weights), _text(weights)))
    length = sampling.get("ema_length")
    if length is not None:
        yield Part("sampling.ema_length", f"EMA length {_text(length)}")
    yield Part("sampling.ema_decay", f"EMA decay {_text(sampling.get('ema_decay'))}", usual=True)


def _others(protocol: Mapping[str, Any]) -> Iterator[Part]:
    """What this program does not know, but which keeps numbers apart all the same."""
    for group in RANKED:
        for key, value in _leaves(protocol.get(group), group):
            if key not in _SAID:
                yield Part(key, f"{printable(key)} {_text(value)}", usual=True)


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}")
    elif value is not None:
        yield name, value


def _part(protocol: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = protocol.get(key)
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return "?" if value is None else printable(str(value))


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else _text(value)


def _hash(value: Any) -> str:
    return _text(value)[:8]


def _shape(value: Any) -> str:
    return "×".join(map(_text, value)) if isinstance(value, list | tuple) else _text(value)
