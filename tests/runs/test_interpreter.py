"""How a run's process is started."""

from runs import interpreter


def test_waiting_threads_soon_sleep_unless_told_otherwise() -> None:
    made = interpreter.environment({})
    assert (made["OMP_WAIT_POLICY"], made["GOMP_SPINCOUNT"]) == ("PASSIVE", "3000")
    for told in ({"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "7"}):
        made = interpreter.environment(told)
        assert {
            name: made.get(name) for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT") if name in made
        } == told
