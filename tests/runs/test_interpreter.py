"""How a run's process is started."""

from runs import interpreter


def test_waiting_threads_sleep_unless_told_otherwise() -> None:
    assert interpreter.environment({})["OMP_WAIT_POLICY"] == "PASSIVE"
    assert interpreter.environment({"OMP_WAIT_POLICY": "ACTIVE"})["OMP_WAIT_POLICY"] == "ACTIVE"
