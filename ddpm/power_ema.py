"""Power-function averages of weights, and how one of any length is put together from others afterwards.

Karras et al. 2024, "Analyzing and improving the training dynamics of diffusion models", section 3 and
appendix C. A profile of exponent gamma weighs the weights of step tau of t by f(tau) = (gamma + 1) /
t^(gamma + 1) · tau^gamma; its relative length is the standard deviation of f over t. Float64 throughout.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def exponent(length: float) -> float:
    """gamma of a relative length in (0, 0.2887): the largest root of eq. 126's cubic (algorithm 2)."""
    inverse = float(length) ** -2
    roots = np.roots([1.0, 7.0, 16.0 - inverse, 12.0 - inverse])
    return float(max(root.real for root in roots if abs(root.imag) < 1e-6))


def length(exponent: float) -> float:
    """The standard deviation of the profile of gamma = `exponent` > -1, as a share of t."""
    return float(np.sqrt((exponent + 1) / ((exponent + 2) ** 2 * (exponent + 3))))


def decay(exponent: float, step: int) -> float:
    """beta at optimiser step `step` ≥ 1, by which the average follows the profile (eq. 3): 0 at the first."""
    return float((1 - 1 / step) ** (exponent + 1))


Profile = tuple[float, float]  #: step t > 0 at which an average was taken, and its gamma


def products(rows: Sequence[Profile], columns: Sequence[Profile]) -> np.ndarray:
    """The integrals of the product of every two profiles, float64 (rows, columns) (algorithm 3)."""
    t, gamma = (np.array(values, np.float64)[:, None] for values in zip(*rows, strict=True))
    u, delta = (np.array(values, np.float64)[None, :] for values in zip(*columns, strict=True))
    both = np.minimum(t, u)
    # min^(gamma + delta + 1) / (t^(gamma + 1) u^(delta + 1)), without powers of large steps
    ratio = np.exp((gamma + delta + 1) * np.log(both) - (gamma + 1) * np.log(t) - (delta + 1) * np.log(u))
    return np.asarray((gamma + 1) * (delta + 1) / (gamma + delta + 1) * ratio)


def coefficients(kept: Sequence[Profile], wanted: Sequence[Profile]) -> tuple[np.ndarray, np.ndarray]:
    """(what each of the kept averages counts, float64 (len(wanted), len(kept)), and how far the sum is from
    each of `wanted`, float64 (len(wanted),)).

    The least-squares fit of the profiles (algorithm 3); the distance is its L2 norm relative to the wanted
    profile's: 0 is exact, 1 is nothing alike.
    """
    scale = max(step for step, _ in [*kept, *wanted])
    known, aims = ([(step / scale, gamma) for step, gamma in profiles] for profiles in (kept, wanted))
    norms = np.sqrt(np.diag(products(known, known)))
    gram = products(known, known) / np.outer(norms, norms)  # of profiles of length one: well scaled
    right = products(known, aims) / norms[:, None]
    found = np.linalg.lstsq(gram, right, rcond=1e-12)[0]
    own = np.diag(products(aims, aims))
    rest = own - 2 * (found * right).sum(0) + (found * (gram @ found)).sum(0)
    return (found / norms[:, None]).T, np.sqrt(np.maximum(rest, 0.0) / own)
