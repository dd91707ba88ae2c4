"""Taking back: the last decisions of one operator, kept with the session, so that they outlive a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from exports import reviewing
from runs.errors import Conflict

KEY = "review-undo"
DEEDS_KEPT = 20


def remember(request: HttpRequest, before: Mapping[str, tuple[str, float | None]], versions: Mapping[str, int]) -> None:
    """Note where the rows were; `versions` are those the deed left behind."""
    rows = {
        article_id: [str(status), rank, versions[article_id]]
        for article_id, (status, rank) in before.items()
        if article_id in versions
    }
    if rows:
        request.session[KEY] = [*request.session.get(KEY, []), rows][-DEEDS_KEPT:]


def depth(request: HttpRequest) -> int:
    """How many deeds can be taken back."""
    return len(request.session.get(KEY, []))


def undo(request: HttpRequest) -> list[str]:
    """Put the rows of the last deed back, places included; their article ids. Conflict when someone came between."""
    deeds: list[dict[str, Any]] = request.session.get(KEY, [])
    if not deeds:
        raise Conflict("nothing-to-undo", _("There is nothing to take back."))
    last = deeds[-1]
    request.session[KEY] = deeds[:-1]  # also when it is refused: it would be refused for ever
    reviewing.put_back(
        {article_id: (status, rank) for article_id, (status, rank, _version) in last.items()},
        versions={article_id: version for article_id, (_status, _rank, version) in last.items()},
        actor=request.user,
    )
    return list(last)
