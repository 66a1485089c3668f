"""Samplers: each an iterator over the steps from noise to image."""
