"""What the screens of runs share that work on another run's checkpoint."""

from __future__ import annotations

from tui.screens.anyrun import AnyRunScreen


class ChildScreen(AnyRunScreen):
    """Knows the way to the run that the checkpoint is of."""

    def can(self, action: str) -> bool:
        if action == "parent":
            return self._run.parent is not None
        return super().can(action)

    def action_parent(self) -> None:
        store, parent = self.cockpit.store, self._run.parent
        if parent is not None:
            self.background("parent", lambda: store.detail(parent).row, self.cockpit.open_run)
