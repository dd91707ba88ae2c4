from collections import Counter
from datetime import UTC, datetime, timedelta

from etl.products.normalise import RawProduct, RowRejected, normalise
from etl.products.sample import BIG_TIE, COUNT, SPAN, expected_products, expected_rejects, staging_rows

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
COLUMNS = (
    "id",
    "style_brand_no",
    "style_no",
    "name",
    "price",
    "colors_concat",
    "tags_json",
    "attrs_json",
    "description",
    "image_url",
    "on_sale",
    "src_updated_at",
)


def outcome(rows):
    """The keys of the products the rows become, and how many rows were rejected for what."""
    keys, rejects = set(), Counter()
    for row in rows:
        cells = [row[column] for column in COLUMNS]
        size = sum(len(str(cell).encode()) for cell in cells if cell is not None)
        try:
            result = normalise(RawProduct(*cells, row_bytes=size))
        except RowRejected as error:
            rejects[error.slug.value] += 1
        else:
            keys.add((result.brand_code, result.sku))
    return keys, dict(rejects)


def test_the_same_count_and_moment_give_the_same_rows():
    assert list(staging_rows(until=UNTIL)) == list(staging_rows(until=UNTIL))


def test_it_becomes_the_products_and_rejects_it_promises():
    keys, rejects = outcome(staging_rows(until=UNTIL))
    assert rejects == expected_rejects()
    assert len(keys) == expected_products() > 5000


def test_a_small_sample_keeps_its_promises_too():
    for count in (0, 1, 300, 1000):
        keys, rejects = outcome(staging_rows(count, until=UNTIL))
        assert rejects == expected_rejects(count)
        assert len(keys) == expected_products(count)


def test_rows_have_the_columns_of_the_staging_table_and_ids_from_one():
    rows = list(staging_rows(until=UNTIL))
    assert all(tuple(row) == COLUMNS for row in rows)
    assert [row["id"] for row in rows] == list(range(1, COUNT + 1))


def test_timestamps_are_recent_ordered_and_often_tied():
    stamps = [row["src_updated_at"] for row in staging_rows(until=UNTIL) if row["src_updated_at"]]
    assert stamps == sorted(stamps)
    assert UNTIL - SPAN - timedelta(hours=1) < stamps[0] < stamps[-1] < UNTIL
    ties = Counter(stamps).most_common(2)
    assert len(BIG_TIE) - 5 <= ties[0][1] <= len(BIG_TIE)
    assert ties[1][1] == 37


def test_text_holds_nothing_postgresql_refuses():
    for row in staging_rows(until=UNTIL):
        assert "\x00" not in "".join(cell for cell in row.values() if isinstance(cell, str)).encode().decode()
