"""Likelihood: the variational bound of a trained network on images of its data set."""
