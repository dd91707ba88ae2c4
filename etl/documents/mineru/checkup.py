"""The doctor looks at the MinerU server: whether it answers, lets us in, and speaks a contract we know."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from etl.documents.mineru import NAME
from etl.documents.mineru.detection import contract_with
from etl.documents.mineru.troubles import OtherContract, ServerAway
from etl.documents.mineru.wire import Wire
from etl.documents.parsed import Unreadable
from watch.findings import Finding, Up, fine, problem

PATIENCE_SECONDS = 10.0


def examine(up: Up) -> Iterator[Finding]:
    """One or two requests that cost nothing; none where documents are read in this house."""
    if settings.ETL_PARSER != NAME:
        return
    facts = {"host": urlsplit(settings.ETL_MINERU_URL).netloc}
    try:
        with Wire(seconds=PATIENCE_SECONDS, watch=_nobody_else_waits) as wire:
            facts["version"] = contract_with(wire).version()
    except (ServerAway, OtherContract, Unreadable) as error:
        text = _("Documents cannot be read by MinerU at %(host)s: %(reason)s")
        mend = _("Mend ETL_MINERU_URL, ETL_MINERU_TOKEN and ETL_MINERU_CONTRACT (docs/operations.md).")
        yield problem("mineru", text % {**facts, "reason": str(error).partition("\n")[0]}, mend)
    else:
        yield fine("mineru", _("documents are read by MinerU %(version)s at %(host)s") % facts)


def _nobody_else_waits() -> None:
    pass
