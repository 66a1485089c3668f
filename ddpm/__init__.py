"""The engine: data, network, diffusion, training, sampling.

Knows nothing of runs, catalogues or terminals. Importing this package imports no torch, so that
`ddpm.config` and `ddpm.events` stay cheap for those who only describe or watch a run.
"""
