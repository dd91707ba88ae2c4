"""However a database came to this version, its schema is the same."""

import pytest
from django.apps import apps
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from access.roles import project_apps
from databases import catalogue, empty_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


def migrate(alias, *targets):
    """Migrate to these (app, migration); no signals, so nothing but the schema."""
    executor = MigrationExecutor(connections[alias])
    return executor.migrate(list(targets) or executor.loader.graph.leaf_nodes())


def first_and_later(alias):
    """Our apps' first migrations, and all later ones in the order of their dependencies."""
    graph = MigrationExecutor(connections[alias]).loader.graph
    ours = {config.label for config in project_apps()}
    first = [key for key in graph.nodes if key[0] in ours and key in graph.root_nodes(key[0])]
    every = MigrationExecutor(connections[alias]).migration_plan(graph.leaf_nodes(), clean_start=True)
    later = [(each.app_label, each.name) for each, _backwards in every]
    return first, [key for key in later if key[0] in ours and key not in first]


def fill(alias, state):
    """A few rows as the first version would have had them, straight into its tables."""
    rows = {
        ("auth", "user"): "(username, password, first_name, last_name, email, is_staff, is_active, is_superuser,"
        " last_login, date_joined) VALUES ('old', '', '', '', '', true, true, false, now(), now())",
        (
            "access",
            "accesstoken",
        ): "(user_id, name, prefix, sha256) SELECT id, 't', 'p', repeat('a', 64) FROM auth_user",
        ("etl", "product"): "(brand_code, sku, name, price, on_sale, colors, tags, attributes, data_version)"
        " SELECT 'B', n::text, '', 1, true, '[]', '[]', '{}', 'v1:x' FROM generate_series(1, 3) n",
        ("etl", "productchange"): "(product_id, brand_code, sku, change_type, new_version, changed_fields)"
        " SELECT id, brand_code, sku, 'CREATE', data_version, '{}' FROM products",
        ("etl", "stagingproduct"): "(style_brand_no, style_no) VALUES ('B', '1')",
        (
            "etl",
            "watermark",
        ): "(table_name, last_processed_at, last_processed_id) VALUES ('products_staging', now(), 1)",
        ("etl", "rejectedrow"): "(source, src_id, brand, sku, reason, field, detail, raw, resolution)"
        " VALUES ('products_staging', 1, 'B', '1', 'missing-key', '', '', '{}', '')",
    }
    with connections[alias].cursor() as cursor:
        for label, insert in rows.items():
            cursor.execute(f'INSERT INTO "{state.apps.get_model(*label)._meta.db_table}" {insert}')
    run = state.apps.get_model("etl", "ProductSyncRun")
    run.objects.using(alias).create(source="products_staging")


@pytest.mark.long
def test_a_database_upgraded_step_by_step_back_and_forth_is_like_a_new_one():
    with empty_database() as fresh, empty_database() as upgraded:
        migrate(fresh)
        new = catalogue(fresh)
        first, later = first_and_later(upgraded)
        fill(upgraded, migrate(upgraded, *first))
        for key in later:
            migrate(upgraded, key)
        migrate(upgraded)
        assert catalogue(upgraded) == new
        migrate(upgraded, *first)
        migrate(upgraded)
        assert catalogue(upgraded) == new
        with connections[upgraded].cursor() as cursor:
            cursor.execute("SELECT (SELECT count(*) FROM products), (SELECT count(*) FROM product_change_log)")
            assert cursor.fetchone() == (3, 3)
    print(f"\n{len(new)} parts of the schema compared after {len(later)} steps, back and forth")


def test_every_table_of_a_model_is_compared():
    kinds = {owner for kind, owner, _name in catalogue("default") if kind == "column"}
    assert {model._meta.db_table for model in apps.get_models() if model._meta.managed} <= kinds


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE products ALTER is_deleted DROP DEFAULT",
        "ALTER TABLE products ALTER name DROP NOT NULL",
        "ALTER TABLE products ALTER sku TYPE text",
        "ALTER TABLE products DROP CONSTRAINT product_price_is_a_finite_amount",
        "DROP INDEX product_change_by_xid",
        "ALTER TABLE product_change_log DISABLE TRIGGER USER",
        "ALTER SEQUENCE runs_fencing_token INCREMENT 2",
    ],
)
def test_the_comparison_sees_a_difference(change):
    before = catalogue("default")
    connection = connections["default"]
    connection.set_autocommit(False)
    try:
        with connection.cursor() as cursor:
            cursor.execute(change)
        assert catalogue("default") != before
    finally:
        connection.rollback()
        connection.set_autocommit(True)
    assert catalogue("default") == before
