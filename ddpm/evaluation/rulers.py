"""Whether two sets can be compared, by which features, and what to know of the numbers that come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddpm.datafiles import shown
from ddpm.errors import EngineError
from ddpm.evaluation.features import inception_identity
from ddpm.evaluation.inception import DIMENSION, SIZE
from ddpm.evaluation.kid import LEAST_IMAGES
from ddpm.evaluation.resize import Convention
from ddpm.evaluation.scores import Scores
from ddpm.evaluation.sources import FeatureRows, Images, Known, Named, Source


@dataclass(frozen=True, slots=True)
class Ruler:
    """The features that both sides are, or will be, features of."""

    identity: dict[str, Any]  #: as `Protocol.features` has it; None: the files do not say
    dimension: int
    convention: Convention  #: of images, where there are any
    computed: bool  #: whether images go through the network
    asked: bool  #: whether a person named the convention


def settle(a: Source, b: Source, asked: Convention | None) -> Ruler:
    """What the two are compared by. Raises EngineError where it is not one and the same for both."""
    said = {s.name: identity for s in (a, b) if (identity := _stated(s)) is not None}
    computed = any(isinstance(source, Images | Named) for source in (a, b))
    for name, identity in said.items():
        for other, its in said.items():
            if identity != its:
                raise EngineError(
                    f"{_text(name)} is of {_described(identity)} and {_text(other)} of {_described(its)}: "
                    "their distance says nothing"
                )
        if asked and identity.get("convention") not in (None, asked):
            raise EngineError(
                f"{_text(name)} is of {_described(identity)}: it cannot be had in the convention {asked}"
            )
    stated = next(iter(said.values()), None)
    convention = asked or (stated or {}).get("convention") or "tensorflow"
    if computed:
        needed = inception_identity(convention)
        if stated is not None and stated != needed:
            name = next(iter(said))
            raise EngineError(
                f"{_text(name)} is of {_described(stated)}, and images are seen by {_described(needed)} here"
            )
        stated = needed
    unknown = {"network": None, "weights": None, "convention": asked}
    dimension = _dimension(a, b, computed)
    return Ruler(stated or unknown, dimension, convention, computed, asked is not None)


def silent(source: Source) -> bool:
    """Whether it is of features, but does not say of whose."""
    return isinstance(source, FeatureRows | Known) and _stated(source) is None


def _stated(source: Source) -> dict[str, Any] | None:
    """What a file of statistics says of its features."""
    identity = source.meta.get("features") if isinstance(source, Known) else None
    return identity if isinstance(identity, dict) else None


def _dimension(a: Source, b: Source, computed: bool) -> int:
    """The number of features, one and the same everywhere."""
    found = {s.name: s.dimension for s in (a, b) if isinstance(s, FeatureRows)}
    found |= {s.name: s.statistics.dimension for s in (a, b) if isinstance(s, Known)}
    if computed:
        found["the Inception network"] = DIMENSION
    (first, size), *others = found.items()
    for name, other in others:
        if other != size:
            raise EngineError(
                f"{_text(first)} has {size:,} features and {_text(name)} {other:,}: they cannot be compared"
            )
    return size


def notes(
    subject: Source, reference: Source, counts: Mapping[str, int | None], ruler: Ruler, found: Scores
) -> tuple[str, ...]:
    """What a person should know before believing the numbers, a line each. counts: images, by name."""
    sources = (subject, reference)
    lines = [f"{s.name}: {notice}" for s in sources if isinstance(s, Images) for notice in s.notices]
    lines += _silent(sources, ruler)
    sizes = {s.name: _size(s) for s in sources if isinstance(s, Images | Named)}
    if len(set(sizes.values())) > 1:
        told = " and ".join(f"{name} {width}×{height}" for name, (width, height) in sizes.items())
        lines.append(
            f"the images differ in size ({told}); each is brought to {SIZE}×{SIZE}, which blurs the smaller"
        )
    few = {name: count for name, count in counts.items() if count is not None and count < ruler.dimension}
    if few:
        told = " and ".join(f"{name} has {count:,} images" for name, count in few.items())
        lines.append(
            f"{told}, fewer than the {ruler.dimension:,} features: FID is far too high then, "
            "and all scores say something only beside those of equally many images"
        )
    if found.precision is not None and found.kid is None:
        lines.append(f"KID needs {LEAST_IMAGES} images on each side")
    return tuple(lines)


def _silent(sources: tuple[Source, Source], ruler: Ruler) -> list[str]:
    """Of files that do not say what they hold features of."""
    names = [source.name for source in sources if silent(source)]
    if not names:
        return []
    verb = "does" if len(names) == 1 else "do"
    told = f"{' and '.join(names)} {verb} not say of which network and convention"
    if not ruler.computed:
        return [f"{told}: whether they can be compared is for you to know"]
    hint = "" if ruler.asked else "; if pytorch-fid made it, add --convention pytorch-fid"
    return [f"{told}: taken for the Inception network's in the convention {ruler.convention}{hint}"]


def _size(source: Images | Named) -> tuple[int, int]:
    return source.size if isinstance(source, Images) else (source.data.shape[2], source.data.shape[1])


def _described(identity: dict[str, Any]) -> str:
    """A feature network in words."""
    convention = identity.get("convention")
    words = f"{identity.get('network')} (weights {str(identity.get('weights'))[:12]}"
    return _text(f"{words}, convention {convention})" if convention else f"{words})")


def _text(name: str) -> str:
    return shown(Path(name))
