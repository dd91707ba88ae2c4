"""Which contract the server speaks: as set, else as its own description says."""

from __future__ import annotations

import re
from collections.abc import Collection

from django.conf import settings
from django.utils.translation import gettext as _

from config.mineru import AUTO, FOUR, HOSTED, THREE
from etl.documents.mineru.contract import Contract
from etl.documents.mineru.hosted import Hosted
from etl.documents.mineru.troubles import unsupported
from etl.documents.mineru.v3 import Three
from etl.documents.mineru.v4 import Four
from etl.documents.mineru.wire import Wire

MOST_BYTES_OF_DESCRIPTION = 8_000_000
CONTRACTS: dict[str, type[Contract]] = {THREE: Three, FOUR: Four, HOSTED: Hosted}

# what a server said it speaks; learnt once per process
_spoken: dict[str, str] = {}


def contract_with(wire: Wire) -> Contract:
    """The contract for this conversation. Raises Unreadable for a server we have no words for."""
    name: str = settings.ETL_MINERU_CONTRACT
    if name == AUTO:
        url = settings.ETL_MINERU_URL
        if url not in _spoken:
            _spoken[url] = _found_out(wire)
        name = _spoken[url]
    return CONTRACTS[name](wire)


def contract_anew(wire: Wire, before: Contract) -> Contract | None:
    """Another contract than `before`, if the server was changed since it was asked; None when it was not."""
    _spoken.pop(settings.ETL_MINERU_URL, None)
    if settings.ETL_MINERU_CONTRACT != AUTO:
        return None
    now = contract_with(wire)
    return None if type(now) is type(before) else now


def _found_out(wire: Wire) -> str:
    answer = wire.ask("GET", "/openapi.json", most_bytes=MOST_BYTES_OF_DESCRIPTION)
    paths = answer.json.get("paths") if answer.status == 200 else None
    return _by_routes(paths) if isinstance(paths, dict) else _by_version(wire)


def _by_routes(paths: Collection[str]) -> str:
    if "/v1/tasks/{task_id}/cancel" in paths:
        raise unsupported(_too_new("4.1"))
    if "/v1/tasks" in paths and "/v1/tasks/{task_id}/result" in paths:
        return FOUR
    if "/tasks" in paths and "/tasks/{task_id}/result" in paths:
        return THREE
    if "/file_parse" in paths:
        raise unsupported(_("MinerU before 3.0 knows no tasks; run 3.x or 4.0."))
    raise unsupported(_("The server at ETL_MINERU_URL does not describe itself as a MinerU."))


def _by_version(wire: Wire) -> str:
    """A server that was told to describe nothing (MINERU_API_ENABLE_FASTAPI_DOCS=0) still says how it is."""
    for path in ("/v1/health", "/health"):
        answer = wire.ask("GET", path)
        version = str(answer.json.get("version", "")) if answer.status == 200 else ""
        if re.match(r"4\.0\.", version):
            return FOUR
        if re.match(r"3\.", version):
            return THREE
        if re.match(r"[0-9]+\.", version):
            raise unsupported(_too_new(version))
    raise unsupported(_("The server at ETL_MINERU_URL does not describe itself as a MinerU."))


def _too_new(version: str) -> str:
    text = _("MinerU %(version)s speaks in another way than 4.0 and is not supported yet; run 3.x or 4.0.")
    return text % {"version": version}
