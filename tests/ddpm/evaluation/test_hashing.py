"""The hash of weights depends on what they are, not on how they are kept."""

import torch

from ddpm.evaluation.hashing import tensors_hash

A, B = torch.arange(6.0).view(2, 3), torch.tensor([1.5])


def test_order_layout_and_kind_of_number_do_not_matter() -> None:
    found = tensors_hash({"a": A, "b": B})
    assert len(found) == 64
    assert found == tensors_hash({"b": B, "a": A})
    assert found == tensors_hash({"a": A.T.contiguous().T, "b": B.double()})


def test_names_shapes_and_values_matter() -> None:
    others = [{"a": A}, {"a": A, "c": B}, {"a": A.flatten(), "b": B}, {"a": A + 1e-6, "b": B}]
    assert len({tensors_hash(tensors) for tensors in ({"a": A, "b": B}, *others)}) == 5
