"""What a wish about documents may be refused for, told apart by who has to do what (etl.apps gives each its status)."""

from typing import Any

from django.utils.translation import gettext_lazy as _


class Refused(Exception):
    """`slug` is stable for programs, `message` is for people, `extra` are facts for both."""

    title: Any

    def __init__(self, slug: str, message: Any, **extra: Any) -> None:
        super().__init__(str(message))
        self.slug = slug
        self.message = message
        self.extra = extra


class PlaceRefused(Refused):
    """A pointer or a key that leads nowhere in this document, or nowhere at all (400)."""

    title = _("This place cannot be used")


class NotThere(Refused):
    """There is no such thing, or it is not this user's to see (404)."""

    title = _("Not found")


class TooLarge(Refused):
    """A table would outgrow ETL_MAX_TABLE_BYTES (413)."""

    title = _("The table would become too large")


class Outdated(Refused):
    """Somebody changed it after it was read (412)."""

    title = _("Changed in the meantime")


class FileRefused(Refused):
    """A file that must not or cannot be read (422). `slug` is a DocumentError."""

    title = _("This file cannot be taken")


class FileTooLarge(FileRefused):
    """More bytes than ETL_MAX_BYTES (413)."""


class FileKindRefused(FileRefused):
    """A kind of file that is not read, or one that is not what its name says (415)."""


class QueueFull(Exception):
    """So many documents wait that another would wait too long; nothing was kept (HTTP 503)."""

    slug = "queue-full"
    title = _("Too many documents are waiting")
    message = _("Nothing was kept. Try again in a minute.")
    retry_after = 60
