"""What the doctor says of the source of products, and of searching in Chinese."""

import os
from contextlib import closing

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from config import staging
from etl import checkup
from watch import servers
from watch.findings import Up

UP = Up(database=True, redis=True)


def said_of_source():
    return [each for each in checkup.examine(UP) if each.check == "source"]


def test_a_source_that_is_away_is_told_with_what_to_mend(transactional_db, settings):
    settings.STAGING = staging.at("postgresql://nobody@127.0.0.1:1/none", time_zone="UTC")
    (told,) = said_of_source()
    assert not told.ok
    assert "cannot be reached" in told.text
    assert "STAGING_DATABASE_URL" in told.mend


def test_the_own_staging_table_is_fine(transactional_db):
    (told,) = said_of_source()
    assert told.ok


@pytest.fixture
def deaf(transactional_db):
    """A database for whose libc a Chinese character is no letter, in the place of ours."""
    name = f"deaf_{os.getpid()}"
    server = os.environ["DATABASE_URL"]
    with closing(psycopg.connect(server, autocommit=True)) as postgres:
        postgres.execute(
            sql.SQL("CREATE DATABASE {} LC_CTYPE 'C' LC_COLLATE 'C' LOCALE_PROVIDER libc TEMPLATE template0").format(
                sql.Identifier(name)
            )
        )
    own = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION pg_trgm")
    yield
    connection.close()
    connection.settings_dict["NAME"] = own
    with closing(psycopg.connect(server, autocommit=True)) as postgres:
        postgres.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_a_database_in_which_no_part_of_a_chinese_name_is_found_is_a_problem(deaf):
    (told,) = [each for each in servers._search() if not each.ok]
    assert "LC_CTYPE C" in told.text
    assert "CREATE DATABASE" in told.mend


def test_ours_finds_parts_of_chinese_names(transactional_db):
    assert [each.ok for each in servers._search()] == [True]
