"""Classical restorations from scipy and scikit-image, the best of each kind chosen on other images.

Images are float64 (H,W) or (H,W,3) in [0, 1]; what comes out is cut to that.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage, signal
from skimage import restoration as sk

from ddpm.config import RestorationConfig
from ddpm.restoration import tasks
from ddpm.restoration.degradation import Degradation

Image = npt.NDArray[np.float64]
#: A measurement, as a person sees it, to an image.
Method = Callable[[Image], Image]


def methods(restoration: RestorationConfig, degradation: Degradation) -> dict[str, Method]:
    """The classical methods for a task, each with each of its settings, by name."""
    sigma = restoration.resolved_sigma or 0.0
    if restoration.task == "denoise":
        return _denoisers(sigma)
    if restoration.task == "inpaint":
        return _inpainters(degradation.singulars[0].numpy() == 0)
    if restoration.task == "super-resolution":
        return _enlargers(restoration.scale)
    if restoration.task == "deblur":
        down, across = (kernel.numpy() for kernel in tasks.kernels(restoration))
        return _deblurrers(np.outer(down, across))
    if restoration.task == "compressed-sensing":
        return _sensers(degradation)
    return {"none: the grey image": lambda image: image}


def best(
    candidates: dict[str, Method], degraded: Sequence[Image], truth: Sequence[Image]
) -> tuple[str, Method]:
    """The one with the highest mean PSNR."""

    def score(method: Method) -> float:
        errors = [np.mean((restored(method, y) - x) ** 2) for y, x in zip(degraded, truth, strict=True)]
        return float(np.mean(-10 * np.log10(np.maximum(errors, 1e-10))))

    scores = {name: score(method) for name, method in candidates.items()}
    name = max(scores, key=scores.__getitem__)
    return name, candidates[name]


def restored(method: Method, image: Image) -> Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of plain images, whose variance is 0
        return np.nan_to_num(method(image)).clip(0, 1)


def _denoisers(sigma: float) -> dict[str, Method]:
    found: dict[str, Method] = {}
    for size in (3, 5):
        found[f"median {size}"] = lambda y, size=size: _planes(y, lambda p: ndimage.median_filter(p, size))
        found[f"Wiener {size}"] = lambda y, size=size: _planes(
            y, lambda p: signal.wiener(p, size, noise=sigma**2)
        )
    for weight in (0.5, 0.75, 1.0, 1.5):
        found[f"TV {weight:g}σ"] = lambda y, weight=weight: sk.denoise_tv_chambolle(
            y, weight * sigma, channel_axis=_axis(y)
        )
    for strength in (0.6, 0.8, 1.0):
        found[f"non-local means {strength:g}σ"] = lambda y, strength=strength: sk.denoise_nl_means(
            y, 5, 6, strength * sigma, sigma=sigma, fast_mode=True, channel_axis=_axis(y)
        )
    for rule in ("BayesShrink", "VisuShrink"):
        found[f"wavelets {rule}"] = lambda y, rule=rule: sk.denoise_wavelet(
            y, sigma=sigma, method=rule, rescale_sigma=True, channel_axis=_axis(y)
        )
    return found


def _inpainters(hidden: npt.NDArray[np.bool_]) -> dict[str, Method]:
    def nearest(y: Image) -> Image:
        places = ndimage.distance_transform_edt(hidden, return_distances=False, return_indices=True)
        return y[tuple(places)]

    return {
        "biharmonic": lambda y: sk.inpaint_biharmonic(y, hidden, channel_axis=_axis(y)),
        "nearest": nearest,
    }


def _enlargers(scale: int) -> dict[str, Method]:
    """`y` has each pixel repeated: it is taken apart again."""

    def zoomed(order: int) -> Method:
        def enlarge(y: Image) -> Image:
            small = y[::scale, ::scale]
            return _planes(
                small, lambda p: ndimage.zoom(p, scale, order=order, mode="nearest", grid_mode=True)
            )

        return enlarge

    return {"bilinear": zoomed(1), "bicubic": zoomed(3)}


def _deblurrers(psf: Image) -> dict[str, Method]:
    reach = (psf.shape[0] // 2 * 2, psf.shape[1] // 2 * 2)

    def mirrored(method: Method) -> Method:
        """Beyond the rim the image goes on mirrored, as it did when it was blurred."""

        def work(y: Image) -> Image:
            padded = np.pad(y, [(reach[0],) * 2, (reach[1],) * 2], mode="symmetric")
            return method(padded)[reach[0] : reach[0] + y.shape[0], reach[1] : reach[1] + y.shape[1]]

        return lambda y: _planes(y, work)

    found: dict[str, Method] = {}
    for balance in (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0):
        found[f"Wiener {balance:g}"] = mirrored(lambda p, b=balance: sk.wiener(p, psf, b, clip=False))
    for count in (5, 10, 20, 40):
        found[f"Richardson-Lucy {count}"] = mirrored(
            lambda p, n=count: sk.richardson_lucy(p.clip(1e-6, None), psf, num_iter=n)
        )
    return found


def _sensers(degradation: Degradation) -> dict[str, Method]:
    """ISTA (Daubechies et al. 2004) with total variation or wavelets as what is small for an image."""

    def consistent(image: Image, measured: Image) -> Image:
        """`image` with what was measured put right; `measured` is the pseudo-inverse."""
        step = _tensor(measured) - degradation.pseudo_inverse(degradation.degrade(_tensor(image)))
        return image + _array(step)

    def ista(shrink: Method) -> Method:
        def work(y: Image) -> Image:
            x = y
            for _ in range(40):
                x = consistent(shrink(x), y)
            return x

        return work

    found: dict[str, Method] = {"pseudo-inverse": lambda y: y}
    for weight in (0.02, 0.05, 0.1):
        found[f"ISTA with TV {weight:g}"] = ista(
            lambda x, w=weight: sk.denoise_tv_chambolle(x, w, max_num_iter=20, channel_axis=_axis(x))
        )
    for threshold in (0.05, 0.1):
        found[f"ISTA with wavelets {threshold:g}"] = ista(
            lambda x, t=threshold: sk.denoise_wavelet(
                x, sigma=t, method="VisuShrink", mode="soft", wavelet="db2", channel_axis=_axis(x)
            )
        )
    return found


def _planes(image: Image, work: Callable[[Image], Any]) -> Image:
    """Channel by channel."""
    if image.ndim == 2:
        return np.asarray(work(image))
    return np.stack([work(image[..., c]) for c in range(image.shape[2])], 2)


def _axis(image: Image) -> int | None:
    return None if image.ndim == 2 else -1


def _tensor(image: Image) -> torch.Tensor:
    """(1,C,H,W); degradations are linear, so the range does not matter."""
    array = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(array))[None]


def _array(x: torch.Tensor) -> Image:
    array = x[0].numpy()
    return array[0] if len(array) == 1 else array.transpose(1, 2, 0)
