"""What a foreign table must have, what only slows it down, and that we never write to it."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from etl.products.models import ProductSyncRun
from etl.products.positions import Position
from etl.products.source import SourceUnusable
from etl.products.staging import configured_source
from foreign_servers import create_table, good, insert
from observed import NOON, counts, products
from processes import manage_here
from runs.querysets import database_now


def columns(server, **others):
    names = {"style_brand_no": server.text_key, "style_no": server.text_key, "name": "text", "price": "text",
             "colors_concat": "text", "tags_json": "text", "attrs_json": "text", "description": "text",
             "image_url": "text", "on_sale": "text"}  # fmt: skip
    return ", ".join(f"{name} {kind}" for name, kind in (names | others).items() if kind)


def refusal():
    with configured_source() as source, pytest.raises(SourceUnusable) as refused:
        source.check()
    return refused.value.message


def test_aliases_are_found_for_cells_id_and_time(server, read_from, synced):
    server.execute(
        f"CREATE TABLE feed (staging_id bigint NOT NULL, brand varchar(9), sku varchar(9), product_name text,"
        f" retail_price text, colors text, tags text, attributes text, description text, image_url text, onsale text,"
        f" gmt_modified {server.time_type} NULL, UNIQUE (staging_id))"
    )
    server.execute(
        "INSERT INTO feed (staging_id, brand, sku, product_name, retail_price, gmt_modified)"
        " VALUES (7, 'B', '1', 'Mug', '3', %s)",
        [server.time(NOON)],
    )
    read_from(server, table=(None, "feed"))
    run = synced()
    assert (products(), run.watermark) == ({"1": ("Mug", "3.00")}, (NOON, 7))


def test_a_primary_key_of_any_name_identifies_the_rows(server, read_from, synced):
    server.execute(f"CREATE TABLE t (nr int PRIMARY KEY, {columns(server)}, updated_at {server.time_type} NULL)")
    read_from(server, table=(None, "t"))
    assert counts(synced()) == {}


@pytest.mark.parametrize(
    ("id_columns", "extra"),
    [
        ("id bigint", ""),
        ("id bigint NOT NULL", ""),
        ("id bigint", ", UNIQUE (id)"),
        ("id varchar(9) PRIMARY KEY", ""),
        ("id bigint NOT NULL, part int NOT NULL", ", UNIQUE (id, part)"),
        ("code varchar(9) PRIMARY KEY", ""),
    ],
)
def test_without_a_unique_whole_number_the_setting_is_named(server, read_from, id_columns, extra):
    server.execute(f"CREATE TABLE t ({id_columns}, {columns(server)}, updated_at {server.time_type} NULL{extra})")
    read_from(server, table=(None, "t"))
    assert "STAGING_ID_COLUMN" in refusal()


def test_the_setting_chooses_the_id_and_must_choose_a_good_one(server, read_from, synced):
    server.execute(
        f"CREATE TABLE t (id bigint PRIMARY KEY, seq bigint NOT NULL, loose bigint, {columns(server)},"
        f" updated_at {server.time_type} NULL, UNIQUE (seq))"
    )
    server.execute(
        "INSERT INTO t (id, seq, style_brand_no, style_no, price, updated_at) VALUES (1, 99, 'B', '1', '1', %s)",
        [server.time(NOON)],
    )
    read_from(server, table=(None, "t"), id_column="seq")
    assert synced().watermark.id == 99
    for wrong in ("loose", "missing", "price"):
        read_from(server, table=(None, "t"), id_column=wrong)
        assert f"STAGING_ID_COLUMN names {wrong}" in refusal()


def test_what_is_missing_is_named(server, read_from):
    read_from(server, table=(None, "nothing"))
    assert "nothing does not exist" in refusal()
    server.execute(f"CREATE TABLE t (id bigint PRIMARY KEY, {columns(server, price='')}, updated_at {server.text_key})")
    read_from(server, table=(None, "t"))
    assert "lacks: price, src_updated_at" in refusal()


def test_names_that_need_quoting_are_quoted(server, read_from, synced):
    quote = "`" if server.engine == "mysql" else '"'
    table = f"{quote}100% odd {quote}{quote} name{quote}"
    server.execute(
        f"CREATE TABLE {table} (id bigint PRIMARY KEY, {columns(server)}, updated_at {server.time_type} NULL)"
    )
    read_from(server, table=(None, f"100% odd {quote} name"))
    assert counts(synced()) == {}


@pytest.mark.parametrize("schema", [True, False])
def test_a_table_may_be_named_with_its_schema(server, read_from, synced, schema):
    create_table(server)
    insert(server, [(1, good(), NOON)])
    name = (server.database if server.engine == "mysql" else "public") if schema else None
    read_from(server, table=(name, "products_staging"))
    assert synced().created == 1


def test_a_missing_index_is_a_warning_with_the_statement_that_makes_it(server, read_from, capsys):
    create_table(server, index=False)
    read_from(server)
    with configured_source() as source:
        (advice,) = source.warnings()
    call_command("etl_products", "--json")
    assert advice in capsys.readouterr().err
    statement = advice.partition(": ")[2]
    server.execute(statement)
    with configured_source() as source:
        assert source.warnings() == []


def test_in_innodb_an_index_on_the_time_alone_serves(mariadb, read_from):
    create_table(mariadb, index=False)
    mariadb.execute("CREATE INDEX by_time ON products_staging (src_updated_at)")
    read_from(mariadb)
    with configured_source() as source:
        assert source.warnings() == []


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM products_staging",
        "UPDATE products_staging SET name = 'x'",
        "INSERT INTO products_staging (id) VALUES (9)",
    ],
)
def test_the_session_cannot_write(server, read_from, statement):
    create_table(server)
    insert(server, [(1, good(), NOON)])
    read_from(server)
    with configured_source() as source, pytest.raises(SourceUnusable, match=r"(?i)read.only"):
        source.database.fetch(statement)
    assert server.execute("SELECT id, name FROM products_staging") in ([(1, "Mug")], ((1, "Mug"),))


def test_nothing_of_it_is_migrated_or_known_to_django(server, read_from, settings):
    read_from(server)
    assert list(settings.DATABASES) == ["default"]
    call_command("migrate", verbosity=0)
    tables = server.execute(
        "SELECT count(*) FROM information_schema.tables WHERE table_schema IN ('public', %s)", [server.database]
    )
    assert tables[0][0] == 0


def test_no_sample_of_products_is_loaded_beside_a_foreign_source(server, read_from, operator):
    from etl import sample

    create_table(server)
    read_from(server)
    assert sample.load_products(operator) == []
    assert not ProductSyncRun.objects.exists()


def asked(source, work):
    """The queries that `work` sends, with their parameters."""
    source.check()
    seen, ask = [], source.database._fetch
    source.database._fetch = lambda query, params: (seen.append((query, params)), ask(query, params))[1]
    work()
    source.database._fetch = ask
    return seen


@pytest.fixture
def tied(server, read_from):
    """5,000 rows, 4,000 of them with one time; the place in the middle of these."""
    create_table(server)
    numbers = "seq_1_to_5000" if server.engine == "mysql" else "generate_series(1, 5000) AS s (seq)"
    server.execute(
        "INSERT INTO products_staging (id, style_brand_no, style_no, price, description, src_updated_at)"
        " SELECT seq, 'B', seq, '1', repeat('x', 500), CASE WHEN seq BETWEEN 500 AND 4500 THEN %s ELSE %s END"
        f" FROM {numbers}",
        [server.time(NOON), server.time(NOON - timedelta(days=1))],
    )
    server.execute(
        "UPDATE products_staging SET src_updated_at = %s WHERE id > 4500", [server.time(NOON + timedelta(days=1))]
    )
    server.execute("ANALYZE TABLE products_staging" if server.engine == "mysql" else "ANALYZE products_staging")
    read_from(server)
    return Position(NOON, 2_500)


def test_a_page_inside_a_tie_walks_the_index_of_mysql_and_reads_nothing_else(tied, server):
    if server.engine != "mysql":
        return
    with configured_source() as source:
        ((sizes, params), (page, more), *_rest) = asked(source, lambda: source.page(tied, database_now(), 100))
        for query, values in ((sizes, params), (page, more)):
            (plan,) = source.database.fetch(f"EXPLAIN {query}", values)
            assert plan[3] == "range", plan
            assert plan[5] == "cursor_of_products_staging", plan
            assert "filesort" not in (plan[9] or ""), plan
        before = handler_reads(source)
        source.database.fetch(page, more)
        steps = {name: count - before.get(name, 0) for name, count in handler_reads(source).items()}
    assert steps.pop("Handler_read_next") <= 100
    assert {name: count for name, count in steps.items() if count} == {"Handler_read_key": 1}


def handler_reads(source):
    rows = source.database.fetch("SHOW SESSION STATUS LIKE 'Handler\\_read\\_%%'")
    return {name: int(count) for name, count in rows if not name.endswith("rnd_next")}


def test_a_page_inside_a_tie_walks_the_index_of_postgresql(tied, server):
    if server.engine == "mysql":
        return
    with configured_source() as source:
        ((query, params), *_rest) = asked(source, lambda: source.page(tied, database_now(), 100))
        plan = "\n".join(row[0] for row in source.database.fetch(f"EXPLAIN (ANALYZE, COSTS OFF) {query}", params))
    assert "cursor_of_products_staging" in plan
    assert "Rows Removed by Filter" not in plan
    assert "Seq Scan" not in plan
    assert "Sort Key: products_staging" not in plan


def test_a_source_that_cannot_be_used_is_one_line_and_exit_code_two(server, read_from):
    server.execute(
        f"CREATE TABLE products_staging (id varchar(9), {columns(server)}, updated_at {server.time_type} NULL)"
    )
    read_from(server)
    done = manage_here("etl_products")
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert "STAGING_ID_COLUMN" in done.stderr
