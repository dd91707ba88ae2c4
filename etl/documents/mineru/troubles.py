"""What can go wrong with a MinerU server, told apart by what helps."""

from __future__ import annotations

from django.utils.translation import gettext as _

from etl.documents.choices import DocumentError
from etl.documents.parsed import Unreadable
from runs.errors import Outage


class ServerAway(Outage):
    """The server cannot be reached, fails or is busy: the run waits."""

    slug = DocumentError.PARSER_AWAY.value

    def __init__(self, text: str, retry_after: float = 0, code: str = "") -> None:
        super().__init__(text)
        self.asked_to_wait, self.code = retry_after, code


class TimedOut(Unreadable):
    """The time of the task is over."""

    def __init__(self, seconds: float) -> None:
        text = _("MinerU was not done within %(seconds)d seconds.") % {"seconds": seconds}
        super().__init__(DocumentError.TIMED_OUT, text)


class KeyRefused(Unreadable):
    """The token is wrong, expired or missing."""

    def __init__(self) -> None:
        text = _("The MinerU server refuses the token (ETL_MINERU_TOKEN).")
        super().__init__(DocumentError.PARSER_REFUSED, text)


class TaskLost(Exception):
    """The server does not know the task (any more), or somebody cancelled it there."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class OtherContract(Exception):
    """The server has no such route: it speaks another contract than we thought."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def refused(text: str) -> Unreadable:
    """The server does not want this document, or not from us."""
    return Unreadable(DocumentError.PARSER_REFUSED, text)


def failed(text: str) -> Unreadable:
    """The server tried and could not."""
    return Unreadable(DocumentError.PARSER_FAILED, text)


def unsupported(text: str) -> Unreadable:
    """A server we have no words for."""
    return Unreadable(DocumentError.UNSUPPORTED_SERVER, text)
