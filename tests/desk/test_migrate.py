"""manage.py migrate beside another deploy, beside readers, and after an interrupted one."""

import psycopg
import pytest

from databases import empty_database, url_of
from processes import manage, start_manage, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


@pytest.fixture
def url():
    with empty_database() as alias:
        yield url_of(alias)


def lines_of(process):
    """Reads the process's stderr until a line holds the text."""
    return lambda text: any(text in line for line in iter(process.stderr.readline, ""))


@pytest.mark.long
def test_two_deploys_at_once_migrate_one_after_the_other(url):
    both = [start_manage("migrate", DATABASE_URL=url) for _ in range(2)]
    outs = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], outs
    assert sorted("No migrations to apply" in out for out, _err in outs) == [False, True]


@pytest.mark.long
def test_a_busy_table_is_waited_for_in_short_steps_that_let_readers_through(url):
    assert manage("migrate", "-v0", DATABASE_URL=url).returncode == 0
    with psycopg.connect(url) as reader, psycopg.connect(url, autocommit=True) as newcomer:
        reader.execute("SELECT FROM etl_feedconsumer")  # held to the end of its transaction
        newcomer.execute("SET statement_timeout = '15s'")
        back = start_manage("migrate", "etl", "0001", DATABASE_URL=url)
        try:
            waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation IS NOT NULL"
            wait_until(
                lambda: newcomer.execute(waits).fetchone()[0], timeout=60, what="the migration behind the reader"
            )
            newcomer.execute("SELECT FROM etl_feedconsumer")  # would wait as long as the reader
            assert lines_of(back)("A table is in use")
            reader.rollback()
            _out, errors = back.communicate(timeout=60)
        finally:
            back.kill()
        assert back.returncode == 0, errors
        assert newcomer.execute("SELECT to_regclass('etl_feedconsumer')").fetchone() == (None,)


@pytest.mark.long
def test_an_index_that_was_left_half_built_is_named_with_its_cure(url):
    assert manage("migrate", "-v0", DATABASE_URL=url).returncode == 0
    with psycopg.connect(url, autocommit=True) as sql:
        sql.execute("INSERT INTO products_staging (style_no) VALUES ('1'), ('1')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            sql.execute("CREATE UNIQUE INDEX CONCURRENTLY half_built ON products_staging (style_no)")
        done = manage("migrate", DATABASE_URL=url)
        assert done.returncode == 1
        assert 'DROP INDEX CONCURRENTLY "half_built"' in done.stderr
        sql.execute("DROP INDEX CONCURRENTLY half_built")
    assert manage("migrate", DATABASE_URL=url).returncode == 0
