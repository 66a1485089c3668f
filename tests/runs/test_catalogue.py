"""What the catalogue answers: pages, filters, references, details."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from runs.catalogue import Catalogue
from runs.errors import RunError
from runs.home import Home
from runs.rows import RunQuery, RunRow
from runs.schema import SORTABLE
from tests.runs.records import alive, append, end, event, make_home, make_run, metrics, started


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home")


@pytest.fixture
def catalogue(home: Home) -> Catalogue:
    """Six runs: kinds, statuses and unknown values mixed."""
    make_run(home, 1, "mnist", tags=["Baseline"], created_at="2026-11-01T00:00:00Z")
    make_run(home, 2, "mnist-cosine", preset="mnist", notes="Smoother\nthan before", device="cuda:1")
    make_run(home, 3, "digits", kind="sample", preset=None, created_at="2026-11-20T00:00:00Z")
    make_run(home, 4, "Übung", preset="mnist")
    make_run(home, 12, "100%_off", preset=None)
    make_run(home, 30, "mnist-wide", preset="cifar10", created_at="2026-11-03T00:00:00+02:00")
    for number, name, loss in ((1, "mnist", 0.5), (2, "mnist-cosine", 0.25), (4, "Übung", 0.75)):
        path = home.runs / f"{number:04d}-{name}"
        append(path, started(), metrics(10 * number, loss))
        end(path, "finished" if number < 4 else "stopped")
    catalogue = Catalogue(home)
    catalogue.sync()
    return catalogue


def ids(catalogue: Catalogue, text: str = "", **query: Any) -> list[int]:
    return [row.id for row in catalogue.runs(RunQuery(text=text, **query))]


def test_newest_numbers_first_by_default(catalogue: Catalogue) -> None:
    assert ids(catalogue) == [30, 12, 4, 3, 2, 1]


def test_pages(catalogue: Catalogue) -> None:
    assert ids(catalogue, limit=2) == [30, 12]
    assert ids(catalogue, limit=2, offset=4) == [2, 1]
    assert ids(catalogue, limit=-1, offset=5) == [1]
    assert catalogue.count() == 6
    assert catalogue.count(RunQuery(text="mnist", limit=1)) == 4


@pytest.mark.parametrize("sort", list(SORTABLE))
@pytest.mark.parametrize("descending", [True, False])
def test_sorting_puts_the_unknown_last(catalogue: Catalogue, sort: str, descending: bool) -> None:
    rows = catalogue.runs(RunQuery(sort=sort, descending=descending))
    assert sorted(row.id for row in rows) == [1, 2, 3, 4, 12, 30]
    values = [getattr(row, sort) for row in rows]
    known = [value for value in values if value is not None]
    assert values == known + [None] * (len(values) - len(known))
    assert known == sorted(known, key=str if sort == "tags" else None, reverse=descending)


def test_every_field_of_a_row_can_be_sorted_by_but_what_is_of_a_moment() -> None:
    assert set(SORTABLE) == set(RunRow.__slots__) - {"preparing", "waits_for"}


def test_sorting_by_anything_else_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(RunError, match="cannot be sorted by 'uuid'"):
        catalogue.runs(RunQuery(sort="uuid"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mnist", [30, 4, 2, 1]),  # by name or preset
        ("MNIST cosine", [2]),
        ("baseline", [1]),
        ("smoother before", [2]),
        ("finished", [2, 1]),
        ("lost mnist", [30]),
        ("sample", [3]),
        ("#3", [30, 3]),
        ("üBUNG", [4]),
        ("%", [12]),
        ("100%_", [12]),
        ("_", [12]),
        ("'; DROP TABLE run", []),
        ("  ", [30, 12, 4, 3, 2, 1]),
    ],
)
def test_every_word_must_occur_somewhere(catalogue: Catalogue, text: str, found: list[int]) -> None:
    assert ids(catalogue, text) == found
    assert catalogue.count(RunQuery(text=text)) == len(found)


def test_kinds(catalogue: Catalogue) -> None:
    assert ids(catalogue, kinds=("sample",)) == [3]
    assert ids(catalogue, kinds=("sample", "train"), text="mnist", limit=1) == [30]


@pytest.mark.parametrize(
    ("reference", "number"),
    [
        ("2", 2),
        ("#2", 2),
        ("mnist", 1),  # exact before the start of others
        ("mnist-c", 2),
        ("Ü", 4),
        ("100%", 12),
        ("last", 3),  # by when it was made
    ],
)
def test_references(catalogue: Catalogue, reference: str, number: int) -> None:
    assert catalogue.find(reference).id == number


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("mnist-", "'mnist-' is the start of several names: mnist-wide, mnist-cosine"),
        ("mnits", "there is no run 'mnits'; did you mean mnist"),
        ("5", "there is no run '5'"),
        ("99999999999999999999", "there is no run"),
        ("", "there is no run ''"),
        ("\ud800", "there is no run"),
        ("MNIST", "did you mean mnist"),
    ],
)
def test_references_to_nothing_or_to_several(catalogue: Catalogue, reference: str, message: str) -> None:
    with pytest.raises(RunError) as caught:
        catalogue.find(reference)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_of_digits_is_found_where_no_number_is(home: Home) -> None:
    make_run(home, 1, "2024")
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert catalogue.find("2024").id == 1


def test_an_empty_catalogue(home: Home) -> None:
    with Catalogue(home) as catalogue:
        assert not catalogue.sync()
        assert catalogue.runs() == []
        assert catalogue.count() == 0
        assert catalogue.sparks([1]) == {}
        for reference in ("last", "1", "x"):
            with pytest.raises(RunError, match="there are no runs yet"):
                catalogue.find(reference)
        with pytest.raises(RunError, match="there is no run 1"):
            catalogue.detail(1)


def test_parents_are_named_by_the_number_they_have_here(home: Home) -> None:
    make_run(home, 5, "child", uuid="c", parent={"uuid": "p", "id": 99, "name": "parent", "step": 10})
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert catalogue.find("child").parent is None
        make_run(home, 2, "parent", uuid="p")
        catalogue.sync()
        assert catalogue.find("child").parent == 2


def test_details_are_what_the_files_say(home: Home) -> None:
    path = make_run(home, 1, provenance={"host": "box", "packages": {"torch": "2.9"}}, notes="a\nb")
    append(
        path, started(), event("notice", text="one"), event("notice", text="two"), event("notice", text="one")
    )
    append(path, event("ended", status="failed", step=3, images_seen=24, message="loss is not finite"))
    end(path, "failed")
    with Catalogue(home) as catalogue:
        catalogue.sync()
        detail = catalogue.detail(1)
        assert detail.provenance == {"host": "box", "packages": {"torch": "2.9"}}
        assert detail.command == ("ddpm-tui", "train", "digits")
        assert (detail.notes, detail.error, detail.notices) == ("a\nb", "loss is not finite", ("two", "one"))
        assert (detail.row.step, detail.row.images_seen, detail.row.status) == (3, 24, "failed")
        assert detail.uuid == json.loads((path / "run.json").read_text())["uuid"]
        assert detail.row == catalogue.runs()[0]


def test_seconds_left_follows_the_newest_rows_of_this_start(home: Home) -> None:
    path = make_run(home, 1)
    append(path, started())
    with Catalogue(home) as catalogue, alive(path):
        catalogue.sync()
        assert catalogue.runs()[0].seconds_left is None  # nothing to reckon from
        append(path, metrics(10, time="2026-11-23T10:01:00Z"))
        catalogue.sync()
        assert catalogue.runs()[0].seconds_left == pytest.approx(990 * 6)  # a minute from the start
        append(path, metrics(20, time="2026-11-23T10:01:10Z"))
        catalogue.sync()
        assert catalogue.runs()[0].seconds_left == pytest.approx(980)  # 10 steps in 10 seconds
        append(path, started(20, time="2026-11-23T12:00:00Z"), metrics(30, time="2026-11-23T12:00:20Z"))
        catalogue.sync()
        assert catalogue.runs()[0].seconds_left == pytest.approx(970 * 2)  # the pause does not count


def test_version_moves_with_every_change(home: Home) -> None:
    with Catalogue(home) as catalogue, Catalogue(home) as other:
        before = catalogue.version()
        assert catalogue.version() == before
        make_run(home, 1)
        other.sync()
        after = catalogue.version()
        assert after != before
        make_run(home, 2)
        catalogue.sync()
        assert catalogue.version() != after


def test_many_threads_may_ask_and_sync(catalogue: Catalogue, home: Home) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(1, 20):
                if number == 0:
                    append(home.runs / "0030-mnist-wide", metrics(step))
                    catalogue.sync()
                catalogue.runs(RunQuery(text="mnist"))
                catalogue.detail(30)
                catalogue.series(30)
                catalogue.version()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert catalogue.find("30").step == 19
