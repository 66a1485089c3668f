"""For programs that work for another process and have nothing to do once it is gone."""

from __future__ import annotations

import os
import signal
import threading
import time

#: Environment variable with the process id of whoever asked; without it a program works for itself.
VARIABLE = "DDPM_ASKED_BY"
_POLL_SECONDS = 0.5
_PATIENCE = 2.0


def end_with_it() -> None:
    """From now on this process ends when its parent, if that is the one who asked, is gone: killed, say.

    First by SIGTERM, so that it may clean up; in a long computation no signal is heard, then at once.
    """
    asker = os.environ.get(VARIABLE)
    if asker is not None and asker.isdecimal():
        threading.Thread(target=_watch, args=(int(asker),), name="asker", daemon=True).start()


def _watch(asker: int) -> None:
    while os.getppid() == asker:
        time.sleep(_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_PATIENCE)
    os._exit(1)
