"""STAGING_DATABASE_URL and what belongs to it: another database that holds the staging table.

Read here and checked without connecting, so that a mistake is one line at the start of any command.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import available_timezones

from django.core.exceptions import ImproperlyConfigured

POSTGRESQL, MYSQL = "postgresql", "mysql"
ENGINES = {"postgres": POSTGRESQL, "postgresql": POSTGRESQL, "mysql": MYSQL, "mariadb": MYSQL}
DRIVERS = {POSTGRESQL: ("psycopg", "psycopg"), MYSQL: ("pymysql", "PyMySQL")}
MYSQL_OPTIONS = {"ssl", "ssl_ca"}
DEFAULT_TABLE = "products_staging"
ONLY_WITH_URL = ("STAGING_TABLE", "STAGING_ID_COLUMN", "STAGING_TIME_ZONE")


class TableName(NamedTuple):
    """A table, perhaps in a named schema (PostgreSQL) or database (MySQL)."""

    schema: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True)
class Staging:
    """Where the staging table is and how its times are meant. Neither repr nor str tells the password."""

    engine: str
    url: str = field(repr=False)
    database: str
    table: TableName = field(default=TableName(None, DEFAULT_TABLE))
    id_column: str = ""  # empty: found out
    time_zone: str = "UTC"
    seconds: float = 120  # how long an answer may take
    connect_seconds: int = 5


def from_environment(values: Mapping[str, str], *, time_zone: str, seconds: float) -> Staging | None:
    """The foreign source that the variables name; None for the table in our own database.

    Raises ImproperlyConfigured naming the variable that is wrong.
    """
    url = values.get("STAGING_DATABASE_URL", "")
    if not url:
        for name in ONLY_WITH_URL:
            if values.get(name):
                raise ImproperlyConfigured(f"{name} says nothing without STAGING_DATABASE_URL.")
        return None
    zone = values.get("STAGING_TIME_ZONE") or time_zone
    if zone not in available_timezones():
        raise ImproperlyConfigured(f"STAGING_TIME_ZONE does not know {zone!r}.")
    return at(
        url,
        table=_table(values.get("STAGING_TABLE") or DEFAULT_TABLE),
        id_column=values.get("STAGING_ID_COLUMN", ""),
        time_zone=zone,
        seconds=seconds,
    )


def at(url: str, **values: Any) -> Staging:
    """The place a URL names. Raises ImproperlyConfigured for one that cannot be used."""
    try:
        engine = ENGINES.get(urlsplit(url).scheme)
        if engine is None:
            raise ImproperlyConfigured(
                "STAGING_DATABASE_URL must name a PostgreSQL or MySQL database (postgresql://… or mysql://…)."
            )
        module, package = DRIVERS[engine]
        if importlib.util.find_spec(module) is None:
            raise ImproperlyConfigured(f"STAGING_DATABASE_URL needs the package {package}, which is not installed.")
        arguments = postgres_arguments(url) if engine == POSTGRESQL else mysql_arguments(url)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise ImproperlyConfigured(f"STAGING_DATABASE_URL cannot be read: {reason}") from error
    database = arguments.get("dbname" if engine == POSTGRESQL else "database")
    if not database:
        raise ImproperlyConfigured("STAGING_DATABASE_URL must name a database: …://host/database.")
    return Staging(engine=engine, url=url, database=database, **values)


def postgres_arguments(url: str) -> dict[str, Any]:
    """What libpq reads in the URL. Raises ValueError."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        return conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise ValueError(str(error)) from error


def mysql_arguments(url: str) -> dict[str, Any]:
    """PyMySQL's arguments for the URL; a host that is a percent-encoded path is a socket. Raises ValueError.

    `?ssl=1` encrypts, `?ssl_ca=/path` also checks whose server it is.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(options.keys() - MYSQL_OPTIONS):
        raise ValueError(f"unknown option {unknown[0]!r}, known are {', '.join(sorted(MYSQL_OPTIONS))}")
    host = unquote(parts.hostname or "localhost")
    arguments: dict[str, Any] = {
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "database": unquote(parts.path.removeprefix("/")),
        "port": parts.port or 3306,
    }
    # urlsplit() lowers the case of a host, which a path must keep
    place = unquote(parts.netloc.rpartition("@")[2])
    arguments |= {"unix_socket": place} if host.startswith("/") else {"host": host}
    if ca := options.get("ssl_ca"):
        arguments["ssl"] = {"ca": ca}
    elif options.get("ssl", "0") not in ("", "0"):
        arguments["ssl"] = {"check_hostname": False}
    return arguments


def _table(text: str) -> TableName:
    schema, dot, name = text.rpartition(".")
    if not name or (dot and not schema) or "." in schema or "\0" in text:
        raise ImproperlyConfigured(f"STAGING_TABLE must be a table or schema.table, not {text!r}.")
    return TableName(schema or None, name)
