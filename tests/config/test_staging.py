"""STAGING_DATABASE_URL and its companions: what they mean, and one line for each mistake."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import staging
from processes import settings_of

GOOD = "mysql://reader:p%40ss@db.example.org/shop"


def read(**values):
    return staging.from_environment(values, time_zone="Asia/Shanghai", seconds=9)


def test_without_it_the_table_is_our_own():
    assert read() is read(STAGING_DATABASE_URL="", STAGING_TABLE="") is None


def test_mysql_and_mariadb_are_read_from_the_url():
    place = read(STAGING_DATABASE_URL=GOOD)
    assert (place.engine, place.database, str(place.table)) == ("mysql", "shop", "products_staging")
    assert (place.time_zone, place.seconds) == ("Asia/Shanghai", 9)
    assert staging.mysql_arguments(place.url) == {
        "user": "reader", "password": "p@ss", "host": "db.example.org", "port": 3306, "database": "shop",
    }  # fmt: skip
    assert read(STAGING_DATABASE_URL="mariadb://r@h:3307/shop").engine == "mysql"


def test_a_socket_keeps_its_letters():
    arguments = staging.mysql_arguments("mysql://root@%2Frun%2FMy.sock/shop?ssl_ca=/etc/ca.pem")
    assert arguments["unix_socket"] == "/run/My.sock"
    assert "host" not in arguments
    assert arguments["ssl"] == {"ca": "/etc/ca.pem"}


def test_postgresql_is_read_as_libpq_does():
    place = read(STAGING_DATABASE_URL="postgresql://r:s@%2Frun/shop?sslmode=require")
    assert (place.engine, place.database) == ("postgresql", "shop")
    assert staging.postgres_arguments(place.url)["host"] == "/run"


def test_the_companions_are_read():
    place = read(STAGING_DATABASE_URL=GOOD, STAGING_TABLE="feed.Rows", STAGING_ID_COLUMN="nr", STAGING_TIME_ZONE="UTC")
    assert (place.table, place.id_column, place.time_zone) == (("feed", "Rows"), "nr", "UTC")


def test_a_password_is_not_in_its_repr():
    assert "p%40ss" not in repr(read(STAGING_DATABASE_URL=GOOD))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"STAGING_DATABASE_URL": "sqlite:///x"}, "must name a PostgreSQL or MySQL database"),
        ({"STAGING_DATABASE_URL": "nonsense"}, "must name a PostgreSQL or MySQL database"),
        ({"STAGING_DATABASE_URL": "mysql://h:port/shop"}, "cannot be read"),
        ({"STAGING_DATABASE_URL": "mysql://["}, "cannot be read"),
        ({"STAGING_DATABASE_URL": "mysql://h"}, "must name a database"),
        ({"STAGING_DATABASE_URL": "postgresql://h"}, "must name a database"),
        ({"STAGING_DATABASE_URL": "postgresql://h/shop?nonsense=1"}, "cannot be read"),
        ({"STAGING_DATABASE_URL": "mysql://h/shop?charset=latin1"}, "unknown option 'charset'"),
        ({"STAGING_DATABASE_URL": GOOD, "STAGING_TABLE": "a.b.c"}, "STAGING_TABLE"),
        ({"STAGING_DATABASE_URL": GOOD, "STAGING_TABLE": "a."}, "STAGING_TABLE"),
        ({"STAGING_DATABASE_URL": GOOD, "STAGING_TIME_ZONE": "Mars/Base"}, "STAGING_TIME_ZONE"),
        ({"STAGING_TABLE": "feed"}, "STAGING_TABLE says nothing without STAGING_DATABASE_URL"),
        ({"STAGING_ID_COLUMN": "nr"}, "STAGING_ID_COLUMN says nothing"),
        ({"STAGING_TIME_ZONE": "UTC"}, "STAGING_TIME_ZONE says nothing"),
    ],
)
def test_a_mistake_is_named(values, says):
    with pytest.raises(ImproperlyConfigured, match=says) as refused:
        read(**values)
    assert "\n" not in str(refused.value)


def test_a_missing_driver_is_named(monkeypatch):
    monkeypatch.setitem(staging.DRIVERS, staging.MYSQL, ("no_such_module", "PyMySQL"))
    with pytest.raises(ImproperlyConfigured, match="needs the package PyMySQL"):
        read(STAGING_DATABASE_URL=GOOD)


@pytest.mark.parametrize(
    ("name", "value"),
    [("STAGING_DATABASE_URL", "oracle://h/shop"), ("STAGING_TABLE", "feed"), ("STAGING_TIMEOUT_SECONDS", "0")],
)
def test_the_settings_refuse_it_before_anything_starts(name, value):
    with pytest.raises(ImproperlyConfigured, match=name):
        settings_of(**{name: value})
