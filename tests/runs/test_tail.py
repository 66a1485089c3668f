"""Reading on from where the catalogue left off: alone, two at once, and however the record was cut."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runs import record, tables, tail
from runs.catalogue import Catalogue
from runs.home import Home
from runs.sync import reindex
from tests.runs.records import (
    append,
    checkpoint,
    contents,
    event,
    make_home,
    make_run,
    metrics,
    samples,
    started,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home")


def losses(catalogue: Catalogue, run_id: int = 1) -> list[float]:
    return [bucket.mean for bucket in catalogue.series(run_id, buckets=1000, x="step")]


def test_two_that_sync_at_once_write_every_line_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "BATCH_LINES", 50)
    paths = [make_run(home, number) for number in range(1, 9)]
    for path in paths:
        append(path, started(), "bad\n", *(metrics(step, step / 1000) for step in range(1, 400)))
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with Catalogue(home) as catalogue:
                for _ in range(3):
                    catalogue.sync()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with Catalogue(home) as catalogue:
        catalogue.sync()
        for number in range(1, 9):
            assert len(losses(catalogue, number)) == 399
            assert catalogue.detail(number).notices == ("lines of events.jsonl that could not be read: 1",)
    before = contents(home)
    reindex(home)
    assert contents(home) == before


def test_what_another_has_just_written_is_not_written_again(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_run(home, 1)
    with Catalogue(home) as catalogue, Catalogue(home) as other:
        catalogue.sync()
        append(path, started(), metrics(10, 0.9))
        read, write, written = tail.read_chunk, tables.write_batch, []

        def overtaken(*arguments: Any) -> record.Chunk:
            chunk = read(*arguments)
            monkeypatch.setattr(tail, "read_chunk", read)
            append(path, metrics(20, 0.8))
            other.sync()
            monkeypatch.setattr(tables, "write_batch", lambda *a, **k: (written.append(a), write(*a, **k)))
            return chunk

        monkeypatch.setattr(tail, "read_chunk", overtaken)
        assert catalogue.sync()
        assert written == []
        assert losses(catalogue) == [0.9, 0.8]


def test_numbers_are_given_out_alone(home: Home) -> None:
    """A run that is being made has its number before it has its directory."""
    make_run(home, 1)
    with Catalogue(home) as catalogue:
        thread = threading.Thread(target=catalogue.sync)
        with home.locked():
            thread.start()
            time.sleep(0.2)
            assert catalogue.runs() == []
        thread.join()
        assert len(catalogue.runs()) == 1


def test_readers_see_a_long_import_grow(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "BATCH_LINES", 20)
    path = make_run(home, 1)
    append(path, started(), *(metrics(step) for step in range(1, 2000)))
    seen = []
    with Catalogue(home) as writer, Catalogue(home) as reader:
        thread = threading.Thread(target=writer.sync)
        thread.start()
        while thread.is_alive():
            seen.append(sum(row.step or 0 for row in reader.runs()))
            time.sleep(0.001)
        thread.join()
    assert seen == sorted(seen)
    assert any(0 < step < 1999 for step in seen)


_steps = st.integers(0, 40)
_events = st.one_of(
    st.builds(started, _steps),
    st.builds(metrics, _steps, st.one_of(st.none(), st.floats(), st.text(max_size=2))),
    st.builds(checkpoint, _steps),
    st.builds(samples, _steps),
    st.builds(lambda step: event("checkpoint_removed", step=step), _steps),
    st.builds(lambda text: event("notice", text=text), st.text(max_size=3)),
    st.builds(lambda step: event("ended", status="stopped", step=step, message="m"), _steps),
    st.sampled_from(["broken\n", "{}\n", '{"event": "metrics"}\n', "\n", "[]\n"]),
)


_cuttings = {
    "events": st.lists(_events, max_size=25),
    "cuts": st.lists(st.integers(0, 6000), max_size=4),
    "batch": st.integers(1, 30),
}


@settings(max_examples=10, deadline=None)
@given(**_cuttings)
def test_any_cutting_of_the_record_gives_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, events: list[Any], cuts: list[int], batch: int
) -> None:
    check_cutting(tmp_path_factory.mktemp("cut") / "home", events, cuts, batch)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(**_cuttings)
def test_very_many_cuttings_of_the_record_give_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, events: list[Any], cuts: list[int], batch: int
) -> None:
    check_cutting(tmp_path_factory.mktemp("cut") / "home", events, cuts, batch)


def check_cutting(folder: Path, events: list[Any], cuts: list[int], batch: int) -> None:
    """The record appended in pieces, a sync after each, against all of it read anew in batches."""
    text = "".join(item if isinstance(item, str) else json.dumps(item) + "\n" for item in events).encode()
    home = make_home(folder)
    path = make_run(home, 1)
    with Catalogue(home) as catalogue:
        start = 0
        for cut in [*sorted(min(cut, len(text)) for cut in cuts), len(text)]:
            with (path / "events.jsonl").open("ab") as file:
                file.write(text[start:cut])
            start = cut
            catalogue.sync()
    piecewise = contents(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record, "BATCH_LINES", batch)
        reindex(home)
    assert contents(home) == piecewise
