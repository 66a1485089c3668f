"""Evaluation: features of images, and distances between what they say of two sets of images."""
