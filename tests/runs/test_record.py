"""Lines folded into rows: one batch, in its order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runs.record import Batch, Progress, read_chunk
from tests.runs.records import checkpoint, event, metrics, samples, started


def batch(*events: dict[str, Any]) -> Batch:
    found = Batch(Progress())
    for item in events:
        found.add(json.dumps(item).encode() + b"\n")
    return found


def test_a_start_takes_back_what_came_before_it_in_the_same_batch() -> None:
    found = batch(
        *(metrics(10), checkpoint(10), samples(10), metrics(20), checkpoint(20), samples(20)),
        *(started(10), metrics(15)),
    )
    assert list(found.metrics) == [10, 15]
    assert list(found.checkpoints) == [10]
    assert [row[1] for row in found.samples.values()] == [10]
    assert (found.void_above, found.progress.step) == (10, 15)


def test_of_several_starts_the_lowest_voids() -> None:
    assert batch(started(30), started(10), started(20)).void_above == 10
    assert batch(metrics(10)).void_above is None


def test_a_checkpoint_may_be_removed_and_written_again() -> None:
    found = batch(checkpoint(10), event("checkpoint_removed", step=10), checkpoint(10, bytes=7))
    assert [row[3] for row in found.checkpoints.values()] == [7]
    assert found.removed == {10}


def test_an_end_that_knows_no_step_leaves_the_one_that_is_known() -> None:
    found = batch(started(), metrics(10), event("ended", step=None, images_seen=None, message="m"))
    assert (found.progress.step, found.progress.images_seen, found.progress.error) == (10, 80, "m")


def test_progress_survives_being_stored() -> None:
    found = batch(started(), metrics(10), event("notice", text="é\n"), event("ended", step=10, message="m"))
    assert Progress.load(found.progress.dump()) == found.progress
    assert Progress.load('{"step": 3, "of_a_newer_version": 1}') == Progress(step=3)


def test_notices_are_kept_once_and_not_without_end() -> None:
    found = batch(*(event("notice", text=f"{number % 70}") for number in range(500)))
    assert len(found.progress.notices) == 50
    assert found.progress.notices[-1] == str(499 % 70)


def test_a_chunk_is_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert read_chunk(path, 0, None).lines == []
    path.write_bytes(b"one\ntwo\nthr")
    first = read_chunk(path, 0, None)
    assert (first.lines, first.start, first.end, first.full) == ([b"one\n", b"two\n"], 0, 8, False)
    path.write_bytes(b"one\ntwo\nthree\n")
    assert read_chunk(path, first.end, path.stat().st_ino).lines == [b"three\n"]
