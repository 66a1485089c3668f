"""What has to be said beside scores wherever they are shown: of how many images they and their floor are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runs.rows import EvaluationRow, FidProtocol

#: Fewer images than this, and FID is too high by so much that it must be said.
MANY = 10_000
#: Fewer than this, and the other scores say little too.
FEW = 1_000


def caveats(found: EvaluationRow) -> list[str]:
    """What a person should know before believing the scores, a sentence each."""
    lines, samples = [], found.samples
    if samples is not None and samples < MANY:
        lines.append(f"FID grows as fewer images are drawn: this one compares with others of {samples:,}.")
        if samples < FEW and (found.kid is not None or found.precision is not None):
            lines.append(f"Of fewer than {FEW:,} images the other scores say little too.")
    if (images := floor_images(found.floor)) is not None and samples is not None and images != samples:
        lines.append(
            f"The floor is at {images:,} images, these scores at {samples:,}: it is lower with more."
        )
    return lines


def floor_images(floor: Mapping[str, Any] | None) -> int | None:
    """How many images were compared with the data set for its floor; None where that is not known."""
    images = (floor or {}).get("samples")
    return images if type(images) is int and images > 0 else None


def floor_at(floor: Mapping[str, Any] | None, samples: int | None) -> str:
    """ "10,000 images", and where the scores beside it are of others "10,000 images, not 2,000"."""
    images = floor_images(floor)
    if images is None:
        return ""
    return f"{images:,} images" + (f", not {samples:,}" if samples not in (None, images) else "")


def short(protocol: FidProtocol | None) -> str:
    """What a FID is of, in two words: "2,000 tf", "50,000 pytorch-fid"; "" where nothing is known."""
    if protocol is None:
        return ""
    images = "" if protocol.samples is None else f"{protocol.samples:,}"
    convention = "tf" if protocol.convention == "tensorflow" else protocol.convention
    return " ".join(word for word in (images, convention) if word)
