"""Carrying trained weights out of a run and into one: to and from diffusers, as plain files, as a program."""
