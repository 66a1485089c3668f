"""Panes by name; each is imported when it is first made."""

from __future__ import annotations

from tui.panes.base import Pane


def charts() -> Pane:
    from tui.panes.charts import ChartsPane

    return ChartsPane()


def samples() -> Pane:
    from tui.panes.samples import SamplesPane

    return SamplesPane()


def evaluation() -> Pane:
    from tui.panes.evaluation import EvaluationPane

    return EvaluationPane()


def scores() -> Pane:
    from tui.panes.scores import ScoresPane

    return ScoresPane()


def checkpoints() -> Pane:
    from tui.panes.checkpoints import CheckpointsPane

    return CheckpointsPane()


def log() -> Pane:
    from tui.panes.log import LogPane

    return LogPane()


def config() -> Pane:
    from tui.panes.config import ConfigPane

    return ConfigPane()


def about() -> Pane:
    from tui.panes.about import AboutPane

    return AboutPane()


def likelihood() -> Pane:
    from tui.panes.likelihood import LikelihoodPane

    return LikelihoodPane()


def restoring() -> Pane:
    from tui.panes.restoring import RestoringPane

    return RestoringPane()


def denoising() -> Pane:
    from tui.panes.denoising import DenoisingPane

    return DenoisingPane()
