"""Attention of images' pixels to each other, by the project's kernels where they are to multiply bfloat16."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from ddpm.kernels import calling


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """softmax(q kᵀ / √d) v, each head by itself; all of them (N, tokens, heads · d)."""
    if _applies(q, k, v, heads):
        return calling.run(_Attention, q, k, v, heads)
    q, k, v = (part.unflatten(2, (heads, -1)).transpose(1, 2) for part in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def _applies(q: Tensor, k: Tensor, v: Tensor, heads: int) -> bool:
    return (
        calling.multiplies_halves()
        and q.dim() == 3
        and q.shape == k.shape == v.shape
        and q.dtype == k.dtype == v.dtype
        and q.device == k.device == v.device
        and q.shape[2] % heads == 0
        and calling.applies(q, q.shape[2] // heads)
    )


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
        count, tokens, width = q.shape
        padded = (tokens + 7) // 8 * 8  # to whole vectors
        most, sums = (calling.empty(count, heads, tokens) for _ in range(2))
        o, work = torch.empty_like(q), calling.empty(count * width * padded)
        calling.kernels().attention_forward(
            *calling.addresses(q, k, v, o, most, sums, work), *_shape(q, heads), torch.get_num_threads()
        )
        ctx.save_for_backward(q, k, v, most, sums)
        ctx.heads = heads
        return o

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, most, sums = ctx.saved_tensors
        dq, dk, dv = (torch.empty_like(q) for _ in range(3))
        dy = dy.contiguous()  # named, so that its memory outlives the call
        kernels, shape, threads = calling.kernels(), _shape(q, ctx.heads), torch.get_num_threads()
        work = calling.empty(threads * kernels.attention_room(shape[1], shape[3]))
        kernels.attention_backward(
            *calling.addresses(q, k, v, dy, most, sums, dq, dk, dv, work), *shape, threads
        )
        return dq, dk, dv, None


def _shape(q: Tensor, heads: int) -> tuple[int, int, int, int, float]:
    """Images, tokens, heads, channels of a head, and what scores are multiplied by."""
    count, tokens, width = q.shape
    return count, tokens, heads, width // heads, (width // heads) ** -0.5
