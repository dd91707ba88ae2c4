"""The sample workspace of this app, loaded once by `manage.py load_sample`."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from etl.documents import sample
from etl.products import services
from etl.products.models import StagingProduct
from etl.products.sample import staging_rows
from runs.errors import Conflict
from runs.querysets import database_now

ROWS_AT_ONCE = 500


def load(operator: Any) -> list[str]:
    """Products and documents; what was done, in words."""
    return [*load_products(operator), *sample.load(operator)]


@transaction.atomic
def load_products(operator: Any) -> list[str]:
    """Fill an empty staging table and ask for a first product sync; what was done, in words.

    Nothing when the source is in another database: it is not ours to fill, and its rows are no sample.
    All of it or nothing: a half-filled table would never be filled up.
    """
    if settings.STAGING is not None or StagingProduct.objects.exists():
        return []
    # ids come from the table's own sequence, which explicit ones would leave behind
    rows = [StagingProduct(**row | {"id": None}) for row in staging_rows(until=database_now())]
    StagingProduct.objects.bulk_create(rows, batch_size=ROWS_AT_ONCE)
    loaded = [_("%(count)s source rows of products") % {"count": len(rows)}]
    try:
        run = services.request_sync(services.SyncOptions(), actor=operator, requested_by=operator)
    except Conflict:
        return loaded
    return [*loaded, _("product sync run %(id)s, waiting for a worker") % {"id": run.pk}]
