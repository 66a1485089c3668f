"""Images of people, with all that must be kept to write them back: grey or colour, alpha, 16 bits."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from ddpm import atomic
from ddpm.datafiles import shown
from ddpm.errors import EngineError
from ddpm.images import encoded

#: Pixels of the longest side; blurs and resizes are matrices of that size.
MAX_SIDE = 4096
#: Differences of red, green and blue that a grey photograph may have after JPEG, as a share of the range.
_GREY_ENOUGH = 3 / 255


class PictureError(EngineError):
    """An image that cannot be read, or is none for this model; one line that names it."""


class TooLargeError(PictureError):
    """An image with too many pixels."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One image. Tensors are float32 in [0, 1], on the CPU."""

    pixels: Tensor  #: (C,H,W), C 1 or 3
    alpha: Tensor | None = None  #: (H,W)
    bits: int = 8  #: 8 or 16, of each value in the file; 16 for grey alone


def from_uint8(image: Tensor) -> Picture:
    """uint8 (C,H,W)."""
    return Picture(image.float() / 255)


def read(path: Path) -> Picture:
    """The first frame of an image file, turned as its EXIF data says.

    Palettes, CMYK and the like become grey or RGB; 16-bit grey is kept exactly, 16-bit colour is read with
    8 bits. Colours below full transparency are taken as they stand. Raises PictureError.
    """
    return _read(path, shown(path), MAX_SIDE)


def decode(
    content: bytes, name: str, *, max_side: int = MAX_SIDE, formats: tuple[str, ...] | None = None
) -> Picture:
    """The same of a file's content, told of as `name`; of none but the `formats` that Pillow calls so."""
    return _read(io.BytesIO(content), name, max_side, formats)


def _read(
    file: Path | io.BytesIO, name: str, max_side: int, formats: tuple[str, ...] | None = None
) -> Picture:
    try:
        if isinstance(file, Path) and file.exists() and not (file.is_file() or file.is_dir()):
            raise PictureError(f"{name} is no image, but a device or a pipe")  # which would be waited for
        with Image.open(file, formats=formats) as image:
            if max(image.size) > max_side:
                width, height = image.size
                raise TooLargeError(
                    f"{name} has {width}×{height} pixels; at most {max_side} a side are restored"
                )
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return _picture(image)
    except PictureError:
        raise
    except FileNotFoundError:
        raise PictureError(f"{name} does not exist") from None
    except UnidentifiedImageError:
        raise PictureError(f"{name} is no image") from None
    except Image.DecompressionBombError:
        raise TooLargeError(f"{name} is too large: sides of up to {max_side} pixels are restored") from None
    except MemoryError:
        raise
    except Exception as error:  # decoders of foreign bytes raise anything
        reason = " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
        raise PictureError(f"{name} cannot be read: {reason[:200]}") from None


def _picture(image: Image.Image) -> Picture:
    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow may hold in 32
        values = np.asarray(image).astype(np.float32) / 65535
        return Picture(torch.from_numpy(values.clip(0, 1))[None], bits=16)
    if image.mode == "F":
        values = np.nan_to_num(np.asarray(image).astype(np.float32))
        return Picture(torch.from_numpy((values / (255 if values.max() > 1 else 1)).clip(0, 1))[None])
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("LA" if image.mode in ("L", "LA", "La") else "RGBA")
        *_, alpha = image.split()
        plain = image.convert("L" if image.mode == "LA" else "RGB")
        return Picture(_values(plain), _values(alpha)[0])
    return Picture(_values(image.convert("L" if image.mode in ("1", "L") else "RGB")))


def _values(image: Image.Image) -> Tensor:
    """(C,H,W) of an image of mode L or RGB."""
    array = np.array(image, dtype=np.float32) / 255
    return torch.from_numpy(array[None] if array.ndim == 2 else array.transpose(2, 0, 1).copy())


def for_channels(picture: Picture, channels: int, name: str) -> Tensor:
    """The pixels for a model of so many channels, (channels,H,W): grey is repeated, colour that is grey
    throughout becomes grey. PictureError for other colour and a grey model; `name` is the image's."""
    pixels = picture.pixels
    if len(pixels) == channels:
        return pixels
    if channels == 3:
        return pixels.expand(3, -1, -1)
    if float((pixels.amax(0) - pixels.amin(0)).max()) > _GREY_ENOUGH:
        raise PictureError(f"{name} is in colour, and the model knows grey alone")
    return pixels.mean(0, keepdim=True)


def write(
    path: Path,
    pixels: Tensor,
    like: Picture,
    text: Mapping[str, str] | None = None,
    *,
    colour: bool = False,
) -> None:
    """A PNG (see `encode`) that is whole or not there, folders made. Raises OSError where it cannot be."""
    content = encode(pixels, like, text, colour=colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as aside:
        aside.write_bytes(content)


def encode(
    pixels: Tensor, like: Picture, text: Mapping[str, str] | None = None, *, colour: bool = False
) -> bytes:
    """A PNG file's content: (C,H,W) in [0, 1], kept in the kind of `like`.

    Grey where `like` is (unless `colour`), with its alpha, resized where the size is another, and its
    16 bits. text: see `ddpm.images.png`.
    """
    if len(pixels) == 3 and len(like.pixels) == 1 and not colour:
        pixels = pixels.mean(0, keepdim=True)
    if like.bits == 16 and len(pixels) == 1 and like.alpha is None:
        image = Image.fromarray((pixels[0].numpy().astype(np.float64) * 65535 + 0.5).astype(np.uint16))
    else:
        alpha = None if like.alpha is None else _sized(like.alpha, pixels.shape[-2:])
        image = _eight_bits(pixels if alpha is None else torch.cat([pixels, alpha[None]]))
    return encoded(image, text)


def _eight_bits(pixels: Tensor) -> Image.Image:
    """(C,H,W) with C 1, 2 (grey and alpha), 3 or 4, rounded half up as `ddpm.images.to_uint8` does."""
    array = (pixels.permute(1, 2, 0).numpy() * 255 + 0.5).clip(0, 255).astype(np.uint8)
    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)


def _sized(alpha: Tensor, size: torch.Size) -> Tensor:
    if alpha.shape == size:
        return alpha
    return F.interpolate(alpha[None, None], tuple(size), mode="bilinear", antialias=True)[0, 0].clamp(0, 1)


def mask_file(path: Path) -> Tensor:
    """What inpainting sees, bool (H,W), by an image that is white (at least half) where pixels are hidden.

    Raises PictureError where it cannot be read, hides nothing or hides everything.
    """
    return visible(read(path), shown(path))


def visible(mask: Picture, name: str) -> Tensor:
    """The same of an image that was read already."""
    seen = mask.pixels.mean(0) < 0.5
    if bool(seen.all()):
        raise PictureError(f"{name} hides nothing: a mask is white where pixels are to be filled")
    if not bool(seen.any()):
        raise PictureError(f"{name} hides everything: a mask is black where pixels are seen")
    return seen
