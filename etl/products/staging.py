"""Which source this installation reads."""

from django.conf import settings

from config.staging import MYSQL
from etl.products.databases import ForeignDatabase
from etl.products.foreign import ForeignSource
from etl.products.local import LocalSource
from etl.products.mysql import MySQLDatabase
from etl.products.postgres import PostgresDatabase
from etl.products.source import Source


def configured_source() -> Source:
    """Our own staging table, or the one that STAGING_DATABASE_URL names.

    Opens nothing yet. Who reads from it closes it: `with configured_source() as source`.
    """
    place = settings.STAGING
    if place is None:
        return LocalSource()
    database: ForeignDatabase = MySQLDatabase(place) if place.engine == MYSQL else PostgresDatabase(place)
    return ForeignSource(place, database)
