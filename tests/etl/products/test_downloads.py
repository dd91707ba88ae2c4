"""Lists are taken along whole, as they are filtered, and open no formula in a spreadsheet."""

import csv
import io
import os
from decimal import Decimal

import pytest
from django.db import connection
from openpyxl import load_workbook

from access.models import AuditEvent
from api.downloads import Table, csv_pieces, csv_text, xlsx_value
from etl.models import Product, RejectedRow
from processes import python

ROWS = {"short": 20_001, "ci": 100_001, "full": 1_000_001}[os.environ.get("FAULTS", "short")]
MOST_MEMORY_MB = 150
ADMIN, API = "/admin/etl/product/download.", "/api/v1/etl/products/download"
HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠1", "#N/A"]
FIELDS = ("id", "brand_code", "sku", "name", "price", "on_sale", "attributes")


def products(count, name="'Mug'"):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO products (brand_code, sku, name, price, on_sale, colors, tags, attributes, data_version)"
            f" SELECT 'B' || g %% 10, 'S' || g, {name}, g, true, '[]', '[\"a\"]', '{{\"size\": 1.10}}', 'v1:0'"
            " FROM generate_series(1, %s) g",
            [count],
        )


def body(answer):
    return b"".join(answer.streaming_content)


def lines(answer):
    content = body(answer)
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("text", HOSTILE[:-1])
def test_text_that_looks_like_a_formula_is_written_as_text(text):
    assert csv_text(text) == f"'{text}"


def test_numbers_stay_numbers_and_truth_is_spelt():
    assert [csv_text(value) for value in (-5, Decimal("-1.10"), True, None, "a-b")] == [
        "-5",
        "-1.10",
        "true",
        "",
        "a-b",
    ]


def test_a_spreadsheet_cell_loses_no_digit_and_holds_no_control_character():
    assert xlsx_value(10**15) == "1000000000000000"
    assert xlsx_value("a\x0bb\x00c") == "abc"
    assert len(xlsx_value("x" * 40_000)) == 32_767


@pytest.mark.django_db
def test_a_csv_holds_what_the_list_shows_and_says_so(operator, desk_of):
    products(30)
    answer = desk_of(operator).get(f"{ADMIN}csv?q=B7")
    heading, *rows, last = lines(answer)
    assert heading[:4] == ["ID", "Brand", "SKU", "Name"]
    assert [row[2] for row in rows] == ["S7", "S17", "S27"]
    assert rows[0][8] == '{"size": 1.10}'
    assert last == ["# 3 rows; filter: q=B7"]
    assert answer["X-Row-Count"] == "3"
    event = AuditEvent.objects.get(action="product.exported")
    assert (event.actor_id, event.after) == (operator.pk, {"format": "csv", "rows": 3, "filter": {"q": ["B7"]}})


@pytest.mark.django_db
def test_a_spreadsheet_has_no_formula_in_it(operator, desk_of):
    products(1)
    for number, text in enumerate(HOSTILE):
        Product.objects.create(
            brand_code="B", sku=f"H{number}", name=text.strip() + "\x0b", price=1, on_sale=True, colors=[], tags=[],
            attributes={}, data_version="v1:0",
        )  # fmt: skip
    answer = desk_of(operator).get(f"{ADMIN}xlsx")
    book = load_workbook(io.BytesIO(body(answer)))
    cells = [cell for sheet in book for row in sheet for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "n", "b", "d"}
    names = [row[3].value for row in list(book["product"])[1:]]
    assert "=1+1" in names
    assert "#N/A" in names
    assert book.worksheets[1]["A1"].value.startswith("13 rows")


@pytest.mark.django_db
def test_too_many_rows_for_a_spreadsheet_are_refused_in_favour_of_the_csv(operator, desk_of, client_of, monkeypatch):
    monkeypatch.setattr("api.downloads.XLSX_ROWS", 10)
    products(11)
    page = desk_of(operator).get(f"{ADMIN}xlsx", follow=True).content.decode()
    assert "A spreadsheet may have 10 rows, and these are 11" in page
    refused = client_of(operator).get(f"{API}?format=xlsx")
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/too-many-rows")
    assert not AuditEvent.objects.filter(action="product.exported").exists()


@pytest.mark.django_db
def test_the_api_gives_the_same_rows_under_its_own_names(operator, client_of):
    products(12)
    heading, *rows, last = lines(client_of(operator).get(f"{API}?brandCode=B1", headers={"accept": "text/csv"}))
    assert heading[:3] == ["id", "brandCode", "sku"]
    assert [row[2] for row in rows] == ["S1", "S11"]
    assert last == ["# 2 rows; filter: brandCode=B1"]


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["format=pdf", "page=2", "nonsense=1", "priceMin=x"])
def test_a_download_asked_for_wrongly_is_refused(query, operator, client_of):
    assert client_of(operator).get(f"{API}?{query}").status_code == 400


@pytest.mark.django_db
def test_who_may_only_read_takes_nothing_along(viewer, desk_of, client_of):
    products(1)
    desk = desk_of(viewer)
    assert desk.get(f"{ADMIN}csv").status_code == 403
    assert "download.csv" not in desk.get("/admin/etl/product/").content.decode()
    assert client_of(viewer).get(API).status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("model", ["productchange", "rejectedrow", "productsyncrun"])
@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_every_list_can_be_taken_along(model, file_format, operator, desk_of):
    answer = desk_of(operator).get(f"/admin/etl/{model}/download.{file_format}")
    assert answer.status_code == 200
    assert body(answer)
    assert desk_of(operator).get(f"/admin/etl/{model}/download.pdf").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_rows_that_come_or_go_meanwhile_spoil_nothing_and_no_transaction_waits_for_the_reader(monkeypatch):
    monkeypatch.setattr("api.downloads.ROWS_AT_ONCE", 10)
    products(30)
    pieces = csv_pieces(Table("products", Product.objects.all(), {name: name for name in FIELDS}))
    read = [next(pieces), next(pieces)]
    assert not connection.in_atomic_block
    Product.objects.get(sku="S25").delete()
    Product.objects.filter(sku="S26").update(name="Cup")
    products(0)
    Product.objects.create(
        brand_code="B", sku="new", name="", price=1, on_sale=True, colors=[], tags=[], attributes={}, data_version="v",
    )  # fmt: skip
    text = b"".join([*read, *pieces]).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert [row[2] for row in rows[1:-1]] == [f"S{n}" for n in range(1, 31) if n != 25]
    assert rows[-1] == ["# 29 rows; 1 deleted meanwhile; filter: none"]


DOWNLOADER = f"""
import csv, io, sys
from pathlib import Path
from django.contrib.auth.models import User
from django.test import Client
from django.test.utils import override_settings
with override_settings(SECURE_SSL_REDIRECT=False):
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(username="operator"))
    Path("/proc/self/clear_refs").write_text("5")
    answer = client.get("{ADMIN}csv")
    rows = unsafe = 0
    last = b""
    for piece in answer.streaming_content:
        rows += piece.count(b"\\r\\n")
        unsafe += piece.count(b',=')
        last = piece
    peak = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    print(rows - 2, unsafe, peak // 1024, last.decode().strip())
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(1200)
@pytest.mark.long
def test_a_long_csv_is_complete_safe_and_takes_little_memory(operator):
    products(ROWS, name="'=1+' || g")
    done = python(DOWNLOADER, DEBUG="0", ALLOWED_HOSTS="localhost", timeout=1100)
    assert done.returncode == 0, done.stderr
    rows, unsafe, peak_mb, *closing = done.stdout.strip().split(maxsplit=3)
    print(f"{rows} rows, peak {peak_mb} MB")
    assert (int(rows), int(unsafe), closing) == (ROWS, 0, [f"# {ROWS} rows; filter: none"])
    assert int(peak_mb) < MOST_MEMORY_MB


@pytest.mark.django_db
def test_a_rejected_row_keeps_what_was_read(operator, desk_of):
    RejectedRow.objects.create(source="s", src_id=1, reason="price-missing", raw={"price": "=cmd"}, resolution="")
    _heading, row, _last = lines(desk_of(operator).get("/admin/etl/rejectedrow/download.csv"))
    assert '{"price": "=cmd"}' in row
