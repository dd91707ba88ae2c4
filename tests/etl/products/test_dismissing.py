"""Rejected rows are dismissed by their filter, once, and only those that were looked at."""

import re

import pytest
from django.db import connection, transaction
from django.utils import timezone

from access.models import AuditEvent
from etl.models import ProductSyncRun, RejectedRow, StagingProduct
from observed import open_rejects

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/etl/rejectedrow/"


def reject(count, **values):
    """Rejected rows by one statement, however many."""
    row = {"reason": "price-missing", "brand": "B", "first": 1} | values
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO etl_rejectedrow (source, src_id, brand, sku, reason, field, detail, raw, resolution)"
            " SELECT 'products_staging', g, %(brand)s, 'S' || g, %(reason)s, 'price', '', '{}', ''"
            " FROM generate_series(%(first)s::int, %(first)s::int + %(count)s - 1) g",
            row | {"count": count},
        )


def ask(desk, query="", ticked=(), across="1"):
    """Choose "Dismiss" on the list; the page that asks, and what its form would send."""
    posted = {"action": "dismiss", "select_across": across, "_selected_action": list(ticked) or ["0"]}
    page = desk.post(f"{LIST}{query}", posted).content.decode()
    form = dict(re.findall(r'name="(count|fingerprint|once|ticked)" value="([^"]*)"', page))
    return page, form


def dismiss(desk, form, query=""):
    return desk.post(f"{LIST}all/dismiss/{query}", form, follow=True).content.decode()


@pytest.mark.parametrize("many", [5_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_many_filtered_rows_are_dismissed_at_once_and_audited_once(
    many, operator, desk_of, django_assert_max_num_queries
):
    reject(many)
    reject(10, reason="too-deep", first=200_001)
    desk = desk_of(operator)
    page, form = ask(desk, "?reason__exact=price-missing")
    assert f"{many:,} rejected rows" in page
    assert page.partition('"bulk-samples"')[2].count('<li><a href="/admin/etl/rejectedrow/') == 20
    assert len(page) < 50_000
    with django_assert_max_num_queries(40):
        assert f"Dismiss: {many:,} rows." in dismiss(desk, form, "?reason__exact=price-missing")
    assert RejectedRow.objects.filter(resolution="dismissed").count() == many
    assert RejectedRow.objects.unresolved().count() == 10
    (event,) = AuditEvent.objects.filter(action="rejectedrow.dismiss")
    assert (event.actor_id, event.after["selected"], event.after["changed"]) == (operator.pk, many, many)
    assert event.after["filter"] == {"reason__exact": ["price-missing"]}


def test_the_page_that_asks_tells_the_kinds(operator, desk_of):
    reject(3)
    reject(2, reason="too-deep", first=11)
    page, _form = ask(desk_of(operator))
    assert re.findall(r'<th scope="row">([^<]*)</th><td class="num">(\d+)', page) == [
        ("Price is missing", "3"),
        ("JSON is nested too deeply", "2"),
    ]


@pytest.mark.parametrize("change", ["one more", "one less", "one in, one out"])
def test_a_selection_that_changed_is_refused_and_nothing_is_done(change, operator, desk_of):
    reject(100)
    desk = desk_of(operator)
    _page, form = ask(desk)
    if change != "one more":
        RejectedRow.objects.filter(src_id=1).update(resolved_at=timezone.now(), resolution="gone")
    if change != "one less":
        reject(1, first=500)
    assert "have changed since you looked" in dismiss(desk, form)
    assert not RejectedRow.objects.filter(resolution="dismissed").exists()
    assert not AuditEvent.objects.filter(action="rejectedrow.dismiss").exists()


def test_a_row_that_changes_while_the_deed_is_done_makes_it_fail(operator, desk_of, monkeypatch):
    reject(50)
    desk = desk_of(operator)
    _page, form = ask(desk)
    from etl.products.admin import rejects

    def someone_else_first(rows):
        other = connection.copy()
        try:
            with transaction.atomic():  # a savepoint; the other connection commits by itself
                with other.cursor() as cursor:
                    cursor.execute("UPDATE etl_rejectedrow SET brand = 'changed' WHERE src_id = 7")
                other.commit()
        finally:
            other.close()
        return rows.dismiss()

    monkeypatch.setattr(rejects, "dismiss_rejected_rows", someone_else_first)
    assert "have changed since you looked" in dismiss(desk, form)
    assert not RejectedRow.objects.filter(resolution="dismissed").exists()


def test_a_second_click_does_nothing_twice(operator, desk_of):
    reject(5)
    desk = desk_of(operator)
    _page, form = ask(desk, "?state=all")
    assert "Dismiss: 5 rows." in dismiss(desk, form, "?state=all")
    assert "This was done already" in dismiss(desk, form, "?state=all")
    assert AuditEvent.objects.filter(action="rejectedrow.dismiss").count() == 1


def test_ticked_rows_are_dismissed_and_no_others(operator, desk_of):
    reject(5)
    ids = list(RejectedRow.objects.filter(src_id__in=[2, 4]).values_list("pk", flat=True))
    desk = desk_of(operator)
    _page, form = ask(desk, ticked=ids, across="0")
    dismiss(desk, form)
    assert sorted(RejectedRow.objects.unresolved().values_list("src_id", flat=True)) == [1, 3, 5]


def test_a_viewer_neither_sees_nor_does_it_and_a_link_does_nothing(viewer, operator, desk_of):
    reject(5)
    desk = desk_of(operator)
    _page, form = ask(desk)
    assert desk.get(f"{LIST}all/dismiss/").status_code == 405
    desk = desk_of(viewer)
    assert "Dismiss" not in desk.get(LIST).content.decode()
    assert desk.post(f"{LIST}all/dismiss/", form).status_code == 403
    assert RejectedRow.objects.unresolved().count() == 5


@pytest.mark.parametrize("form", [{}, {"count": "x", "fingerprint": "y"}, {"count": "9" * 40, "ticked": "1,x,\0"}])
def test_a_form_that_makes_no_sense_does_nothing(form, operator, desk_of):
    reject(2)
    assert "have changed since you looked" in dismiss(desk_of(operator), form)
    assert RejectedRow.objects.unresolved().count() == 2


def test_a_dismissed_row_comes_back_only_when_its_source_row_changes(stage, synced):
    row = stage("bad", price="-1")
    stage("good", minute=1)
    synced()
    assert RejectedRow.objects.all().dismiss() == 1
    synced(resume=False)
    StagingProduct.objects.filter(pk=row.pk).update(src_updated_at=timezone.now())  # stamped anew, the same otherwise
    assert synced(resume=False).rejected == 1
    assert open_rejects() == {}
    StagingProduct.objects.filter(pk=row.pk).update(price="-2")
    synced(resume=False)
    assert open_rejects() == {"bad": "price-negative"}


def test_more_rows_than_one_request_retries_are_retried_by_a_run(operator, desk_of, monkeypatch):
    from etl.products.admin import rejects

    monkeypatch.setattr(rejects, "RETRY_AT_MOST", 3)
    reject(4)
    desk = desk_of(operator)
    sent = {"action": "retry_selected", "select_across": "1", "_selected_action": ["0"]}
    page = desk.post(LIST, sent, follow=True).content.decode()
    assert "retries all open rows" in page
    assert ProductSyncRun.objects.get().requested_by == operator
