"""Evaluations in the catalogue: from the record's lines to rows, and from the rows to what faces read.

The subject of an evaluation is a training: the one that recorded it, or the parent of the evaluating run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, or_, select

from ddpm.evaluation import protocol as protocols
from runs import files
from runs.rows import EvaluatingRow, EvaluationRow, FidProtocol, Standing
from runs.schema import evaluation, run

#: Scores as they are named in `evaluated` events, in the order of the table's columns.
_SCORES = ("fid", "kid", "kid_error", "precision", "recall", "density", "coverage", "classifier_fd")

_maker, _subject = run.alias("maker"), run.alias("subject")
_subject_id = case((_maker.c.kind == "evaluate", _maker.c.parent), else_=_maker.c.id)


def row(event: dict[str, Any]) -> tuple[Any, ...] | None:
    """The columns of table `evaluation` but its run, out of an `evaluated` event; None for one without a
    step, a FID or a protocol.

    Which protocols are equal is reckoned here, so that runs of other versions are ranked by one rule.
    """
    step, scores = files.as_whole(event.get("step")), [files.as_number(event.get(key)) for key in _SCORES]
    protocol, floor = files.as_plain(event.get("protocol")), files.as_plain(event.get("floor"))
    if step is None or scores[0] is None or not isinstance(protocol, dict):
        return None
    spent = [files.as_number(event.get(key)) for key in ("sampling_seconds", "feature_seconds")]
    return (
        step,
        protocols.identity(protocol),
        files.as_whole(event.get("images_seen")),
        *scores,
        files.dump(floor) if isinstance(floor, dict) else None,
        files.as_whole(event.get("samples")),
        files.as_whole(event.get("seed")),
        files.dump(protocol),
        None if None in spent else sum(s for s in spent if s is not None),
        files.as_time(event.get("time")) or "",
    )


def rank(connection: Connection, run_id: int | None = None) -> None:
    """Give runs the FID of their decisive evaluation: a run and the one it evaluates, or all."""
    query = select(_maker.c.id, _maker.c.kind, _maker.c.parent, evaluation.c.fid).select_from(_MADE)
    known = select(run.c.id, run.c.fid)
    if run_id is not None:
        evaluated = select(run.c.parent).where(run.c.id == run_id, run.c.kind == "evaluate")
        concerned = [run_id, *connection.execute(evaluated.where(run.c.parent.is_not(None))).scalars()]
        query = query.where(or_(*(_of(number) for number in concerned)))
        known = known.where(run.c.id.in_(concerned))
    found: dict[int, float] = {}
    for maker, kind, parent, fid in connection.execute(query.order_by(*_BY_WEIGHT)):
        found[maker] = fid
        if kind == "evaluate" and parent is not None:
            found[parent] = fid
    changed = [
        (found.get(number), number) for number, fid in connection.execute(known) if found.get(number) != fid
    ]
    if changed:
        connection.exec_driver_sql("UPDATE run SET fid = ? WHERE id = ?", changed)


def of_run(connection: Connection, run_id: int) -> tuple[EvaluationRow, ...]:
    """Of a training's checkpoints, whoever made them, or what an evaluating run found; oldest first."""
    return tuple(_rows(connection, _all().where(_of(run_id)).order_by(*_BY_AGE)))


def fid_protocols(connection: Connection) -> dict[int, FidProtocol]:
    """What the FID of each run's decisive evaluation is of, by the run's number."""
    columns = (evaluation.c.protocol_id, evaluation.c.protocol)
    query = select(_maker.c.id, _maker.c.kind, _maker.c.parent, *columns).select_from(_MADE)
    decisive: dict[int, Any] = {}
    for found in connection.execute(query.order_by(*_BY_WEIGHT)):
        decisive[found.id] = found
        if found.kind == "evaluate" and found.parent is not None:
            decisive[found.parent] = found
    return {
        number: FidProtocol.of(found.protocol_id, files.load(found.protocol))
        for number, found in decisive.items()
    }


def leaderboard(connection: Connection) -> list[Standing]:
    """All evaluations, those of equal protocols together; the largest group first, then the newest."""
    groups: dict[str, list[EvaluationRow]] = {}
    for found in _rows(connection, _all().order_by(*_BY_AGE)):
        groups.setdefault(found.protocol_id, []).append(found)
    ranked = sorted(groups.values(), key=lambda g: (len(g), g[-1].created_at or ""), reverse=True)
    return [
        Standing(
            protocol_id=group[-1].protocol_id,
            protocol=group[-1].protocol,
            floor=next((found.floor for found in reversed(group) if found.floor), None),
            rows=tuple(sorted(group, key=lambda found: found.fid)),
        )
        for group in ranked
    ]


def evaluating(state: dict[str, Any] | None) -> EvaluatingRow | None:
    """How far a running evaluation has come, from `runs.record.Progress.evaluating`."""
    if state is None:
        return None
    return EvaluatingRow(state["stage"], state["done"], state["total"], seconds_left(state))


def preparing(state: dict[str, Any] | None) -> float | None:
    """How much of the reference's features is done; None where those are not what it works at."""
    at_it = state is not None and state["stage"] == "reference" and state["total"]
    return min(1.0, state["done"] / state["total"]) if state is not None and at_it else None


def followed(before: dict[str, Any] | None, now: dict[str, Any]) -> dict[str, Any]:
    """`now` (fields of events.Evaluating) with what its pace is reckoned from: "since", [done, seconds] of
    the first event of this stage in this process, and "mark", [done, seconds, seconds] from and until which
    the latest batch was drawn, None before one was: then `done` stands still; with the features it moves on.
    """
    same = before and (before["stage"], before["total"]) == (now["stage"], now["total"])
    if before is None or not same or now["done"] < before["done"]:
        return {**now, "since": [now["done"], now["seconds"]], "mark": None}
    since, mark = before["since"], before["mark"]
    if now["done"] == before["done"]:
        begun = mark[1] if mark and mark[0] == now["done"] else before["seconds"]
        mark = [now["done"], begun, now["seconds"]]
    return {**now, "since": since, "mark": mark}


def seconds_left(state: dict[str, Any]) -> float | None:
    """Of the present stage, at the pace of this process: of its whole batches. In the first one the pace is
    known once its features have taken as long as its drawing."""
    first, begun = state["since"]
    done, seconds, until = state["mark"] or (first, begun, begun)
    if done == first and state["seconds"] - until >= until - seconds:
        done, seconds = state["done"], state["seconds"]
    if done <= first or seconds <= begun:
        return None
    left = (seconds - begun) / (done - first) * (state["total"] - done)
    return float(max(0.0, left - (state["seconds"] - seconds)))


_BY_AGE = (evaluation.c.created_at, evaluation.c.run_id, evaluation.c.step)
#: The last decides what a run's FID is: of its latest checkpoint by the most images, of those the newest.
_BY_WEIGHT = (
    evaluation.c.step, evaluation.c.samples.nulls_first(), evaluation.c.created_at, evaluation.c.run_id,
    evaluation.c.protocol_id,
)  # fmt: skip
_MADE = evaluation.join(_maker, _maker.c.id == evaluation.c.run_id)


def _of(run_id: int) -> ColumnElement[bool]:
    """Recorded by a run, or by one that evaluates it."""
    evaluating = select(run.c.id).where(run.c.parent == run_id, run.c.kind == "evaluate")
    return or_(evaluation.c.run_id == run_id, evaluation.c.run_id.in_(evaluating))


def _all() -> Select[Any]:
    columns = [column for column in evaluation.c if column.name != "run_id"]
    return (
        select(
            _maker.c.id.label("run_id"),
            _maker.c.name.label("run_name"),
            _subject.c.id.label("subject_id"),
            _subject.c.name.label("subject_name"),
            *columns,
        )
        .select_from(_MADE)
        .outerjoin(_subject, _subject.c.id == _subject_id)
    )


def _rows(connection: Connection, query: Select[Any]) -> Iterable[EvaluationRow]:
    for found in connection.execute(query).mappings():
        values = {
            "floor": found["floor"] and files.load(found["floor"]),
            "protocol": files.load(found["protocol"]),
            "created_at": found["created_at"] or None,  # kept as "" where the event had no time
        }
        yield EvaluationRow(**{**found, **values})
