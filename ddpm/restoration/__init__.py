"""Restoration: clean images from noised, masked, shrunk, blurred or greyed ones, by a trained network."""
