"""Marked places where a test may end or freeze the process; nothing at all outside of tests.

`FAILPOINT=commit.before:3` kills the process (kill -9) when it comes to that place the third time;
`FAILPOINT=commit.before:3:STOP` freezes it. The places: claim, batch, model (the whole asking), answer (a model's, when
it is stored), commit, publish and rename, each with .before or .after. Heeded only with DEBUG on, which a deployment
has off, so a stray variable does no harm there.
"""

import os
import signal

from django.conf import settings

PLACES = frozenset(
    {
        "claim.before", "claim.after", "batch.before", "model.before", "model.after", "answer.before", "answer.after",
        "commit.before", "commit.after", "publish.before", "publish.after", "rename.before",
    }
)  # fmt: skip
SIGNALS = {"KILL": signal.SIGKILL, "STOP": signal.SIGSTOP}


class Failpoint:
    """One place and how often it may still be passed."""

    def __init__(self, wish: str) -> None:
        """Raises ValueError for a wish that would never come true: a test must not pass by a typing error."""
        place, times, signal_name = (*wish.split(":"), "KILL")[:3]
        if place not in PLACES or signal_name not in SIGNALS or int(times) < 1:
            raise ValueError(f"FAILPOINT is PLACE:TIMES or PLACE:TIMES:STOP, not {wish!r}")
        self.place, self.left, self.signal = place, int(times), SIGNALS[signal_name]

    def reached(self, place: str) -> None:
        """Count down; at zero, strike once."""
        if place != self.place:
            return
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.signal)


def armed() -> Failpoint | None:
    """The failpoint of this process; None in any production."""
    wish = os.environ.get("FAILPOINT", "")
    return Failpoint(wish) if wish and settings.DEBUG else None


_armed = armed()


def reached(place: str) -> None:
    """Mark a place. Costs a comparison with None."""
    if _armed is not None:
        _armed.reached(place)
