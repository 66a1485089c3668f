"""What can be done with a run, on every screen that has one under its cursor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from runs import humanize
from runs.rows import RunDetail, RunRow
from runs.text import printable
from tui.screens.base import Place

if TYPE_CHECKING:
    from runs.directory import RunDirectory
    from tui.screens.fromcheckpoint import CheckpointScreen


#: Of which runs one can ask for more: a training's checkpoints, or once more what was done with one.
_KINDS = {
    "sample": ("train", "sample"),
    "evaluate": ("train", "evaluate"),
    "restore_images": ("train", "restore"),
    "likelihood": ("train", "likelihood"),
    "live": ("train",),
    "clone": ("train",),
}


class RunActions(Place):
    """Stop, resume, delete, sample, evaluate, restore, measure, clone, edit, copy the path of `chosen()`."""

    def chosen(self) -> RunRow | None:
        """The run that a key means."""
        raise NotImplementedError

    def can(self, action: str) -> bool:
        run = self.chosen()
        if action == "stop":
            return run is not None and run.status == "running"
        if action == "resume":
            return run is not None and run.status != "running" and _can_go_on(run)
        if action in _KINDS:
            return run is not None and run.kind in _KINDS[action]
        if action == "delete":
            return run is not None and run.status != "running"
        if action in ("edit", "copy_path", "open", "mark"):
            return run is not None
        return super().can(action)

    def action_stop(self) -> None:
        """Asks once; asked again, offers to end the run at once."""
        run = self.chosen()
        if run is None:
            return
        path = Path(run.path)

        def ask() -> bool:
            from runs import stopping

            if (path / "stop").exists():
                return False
            stopping.request_stop(_directory(run))
            return True

        def asked(first: bool) -> None:
            if first:
                kept = "it writes a checkpoint first" if run.kind == "train" else "what it has made is kept"
                kept = kept if run.waits_for is None else "it has not begun"
                self.say(f"{run.name} was asked to stop; {kept}")
                self.cockpit.look_now()
            else:
                self._force(run)

        self.background("stop", ask, asked)

    def _force(self, run: RunRow) -> None:
        from tui.screens.dialogs import Confirm

        def end() -> None:
            from runs import stopping

            stopping.stop(_directory(run), patience=0)

        def answered(yes: bool | None) -> None:
            if yes:
                self.background("force", end, lambda _: self.cockpit.look_now(), slow=True)

        self.app.push_screen(
            Confirm(
                f"{run.name} was asked to stop already. End it now?",
                "end it now",
                "What it did since its last checkpoint is lost." if run.kind == "train" and run.step else "",
            ),
            answered,
        )

    def action_resume(self) -> None:
        run = self.chosen()
        if run is None:
            return

        def resume() -> None:
            from runs import launch

            launch.resume(_directory(run))

        def resumed(_: None) -> None:
            self.say(f"{run.name} goes on")
            self.cockpit.look_now()

        self.background("resume", resume, resumed, slow=True)

    def action_delete(self) -> None:
        runs = [run for run in self.chosen_all() if run.status != "running"]
        if not runs:
            return

        def measure() -> int:
            from runs import trash

            return sum(trash.size(Path(run.path)) for run in runs)

        self.background("measure", measure, lambda size: self._confirm_delete(runs, size))

    def chosen_step(self) -> int | None:
        """The checkpoint that a key means; None: the latest."""
        return None

    def chosen_all(self) -> list[RunRow]:
        """The runs that a key may mean together."""
        run = self.chosen()
        return [] if run is None else [run]

    def _confirm_delete(self, runs: list[RunRow], size: int) -> None:
        from tui.screens.dialogs import Confirm

        def move() -> int:
            from runs import trash

            return sum(trash.move(self.cockpit.home, _directory(run)) for run in runs)

        def moved(freed: int) -> None:
            self.say(f"{what} moved to the trash: {humanize.bytes_text(freed)}")
            self.deleted(runs)
            self.cockpit.look_now()

        def answered(yes: bool | None) -> None:
            if yes:
                self.background("delete", move, moved)

        what = f"#{runs[0].id} {runs[0].name}" if len(runs) == 1 else f"{len(runs)} runs"
        self.app.push_screen(
            Confirm(
                f"Move {what} ({humanize.bytes_text(size)}) to the trash?",
                "move to the trash",
                "`ddpm-tui rm --purge` empties it.",
            ),
            answered,
        )

    def deleted(self, runs: list[RunRow]) -> None:
        """Called when runs are gone."""

    def action_edit(self) -> None:
        run = self.chosen()
        if run is not None:
            store = self.cockpit.store
            self.background("edit", lambda: store.detail(run.id), self._edit)

    def _edit(self, detail: RunDetail) -> None:
        from tui.screens.dialogs import EditRun

        run = detail.row

        def answered(values: tuple[str, list[str], str] | None) -> None:
            if values is None:
                return
            name, tags, notes = values
            # What was shown of hostile characters is a stand-in: unchanged text is not written back.
            changes = {
                "name": name if name != printable(run.name) else None,
                "tags": tags if tags != printable(" ".join(run.tags)).split() else None,
                "notes": notes if notes != printable(detail.notes) else None,
            }

            def save() -> None:
                from runs import editing

                editing.edit(self.cockpit.home, _directory(run), **changes)  # type: ignore[arg-type]

            self.background("edit", save, lambda _: self.cockpit.look_now())

        self.app.push_screen(EditRun(detail), answered)

    def action_copy_path(self) -> None:
        run = self.chosen()
        if run is not None:
            self.cockpit.copy(run.path, "Path")

    def action_sample(self) -> None:
        from tui.screens.sample import SampleScreen

        self._from_checkpoint(SampleScreen, "sampling")

    def action_evaluate(self) -> None:
        from tui.screens.evaluate import EvaluateScreen

        self._from_checkpoint(EvaluateScreen, "sampling", "evaluation")

    def action_restore_images(self) -> None:
        from tui.screens.restore import RestoreScreen

        self._from_checkpoint(RestoreScreen, "restoration")

    def action_live(self) -> None:
        from tui.screens.live import LiveScreen

        run = self.chosen()
        if run is not None:
            self.app.push_screen(LiveScreen(run, self.chosen_step()))

    def action_likelihood(self) -> None:
        from tui.screens.likelihood import LikelihoodScreen

        self._from_checkpoint(LikelihoodScreen, "likelihood")

    def _from_checkpoint(self, form: type[CheckpointScreen], *sections: str) -> None:
        """Asks how; for a run that did it before, with its checkpoint and its `sections` of settings."""
        run, store = self.chosen(), self.cockpit.store
        if run is None:
            return
        if run.kind == "train":
            self.app.push_screen(form(run, self.chosen_step()))
            return
        parent = run.parent
        if parent is None:
            self.say(f"the run whose checkpoint {run.name} took is gone", "warning")
            return

        def read() -> tuple[RunRow, RunDetail, dict[str, Any]]:
            return store.detail(parent).row, store.detail(run.id), _directory(run).info

        def ask(answer: tuple[RunRow, RunDetail, dict[str, Any]]) -> None:
            origin, detail, info = answer
            step = (info.get("parent") or {}).get("step")
            like = {section: detail.config.get(section, {}) for section in sections}
            if info["inputs"]:
                like["input"] = {"images": info["inputs"][0]}
            self.app.push_screen(form(origin, step, like=like))

        self.background("again", read, ask)

    def action_leaderboard(self) -> None:
        from tui.screens.leaderboard import LeaderboardScreen

        self.app.push_screen(LeaderboardScreen())

    def action_clone(self) -> None:
        from tui.screens.new import NewScreen

        run = self.chosen()
        if run is not None:
            self.app.push_screen(NewScreen(clone=run))


def _can_go_on(run: RunRow) -> bool:
    """Whether an ended run has something left to do."""
    if run.kind in ("evaluate", "restore", "likelihood"):
        return run.status != "finished"
    complete = run.step is not None and run.total_steps is not None and run.step >= run.total_steps
    return run.kind == "train" and not complete


def _directory(run: RunRow) -> RunDirectory:
    from runs.directory import RunDirectory

    return RunDirectory(Path(run.path))
