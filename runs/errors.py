"""What can go wrong with a run, told apart by who has to act."""

from typing import Any

from django.utils.translation import gettext_lazy as _


class Conflict(Exception):
    """A wish that cannot be granted now: something else holds the place (HTTP 409, exit code 3).

    `slug` is stable for clients, `message` is translated for people, `extra` are facts for both.
    """

    title = _("Not possible right now")

    def __init__(self, slug: str, message: Any, **extra: Any) -> None:
        super().__init__(str(message))
        self.slug = slug
        self.message = message
        self.extra = extra


class Contention(Exception):
    """A transaction lost every retry against others; nothing was written (HTTP 503)."""

    slug = "contention"
    title = _("Too much going on at once")
    message = _("Nothing was changed. Try again in a moment.")
    retry_after = 1


class DatabaseLost(Contention):
    """Like Contention, when the last attempt found no database at all."""

    slug = "database-unavailable"
    title = _("The database cannot be reached")


class LeaseLost(Exception):
    """The run's token is no longer ours: someone took over or cancelled, so stop without writing."""


class Outage(Exception):
    """Something a run reads from or calls is away and may come back: the run waits and is tried again.

    Beside its text it has a `slug`, which fails the run at its attempt cap. `retry_after` are the seconds it
    asked us to wait, if it said so.
    """

    slug: str
    retry_after: float = 0


class RunFailed(Exception):
    """An expected failure: a slug that the UI translates, and the facts of this case."""

    def __init__(self, slug: str, text: str = "") -> None:
        super().__init__(text or slug)
        self.slug = slug
        self.text = text
