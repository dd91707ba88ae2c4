"""Operators see what product sync did, and press its buttons, as far as their role goes."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.models import AuditEvent
from etl.models import Product, ProductChange, ProductSyncRun, RejectedRow, StagingProduct, Watermark

RUNS = "/admin/etl/productsyncrun/"
LISTS = ["productsyncrun", "product", "productchange", "rejectedrow", "watermark"]

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def worked(stage, synced):
    """Two runs: three products, one of them changed, and a row that was rejected."""
    for number in range(3):
        stage(f"sku-{number}", minute=number)
    stage("bad", minute=3, price="-1", name=HOSTILE)
    synced()
    StagingProduct.objects.filter(style_no="sku-1").update(name=HOSTILE, tags_json='["a", "b"]')
    StagingProduct.objects.filter(style_no="sku-1").update(src_updated_at=timezone.now())
    return synced()


def failed_run(**values):
    now = timezone.now()
    return ProductSyncRun.objects.create(
        source="products_staging", status="failed", error="worker-lost", finished_at=now, **values
    )


def running_run(**values):
    now = timezone.now()
    held = {"lease_token": 1, "lease_until": now + timedelta(minutes=5), "heartbeat_at": now}
    return ProductSyncRun.objects.create(source="products_staging", status="running", started_at=now, **(held | values))


@pytest.mark.parametrize("model", LISTS)
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_list_opens_empty(model, language, viewer, desk_of):
    answer = desk_of(viewer).get(f"/admin/etl/{model}/", headers={"accept-language": language})
    assert answer.status_code == 200
    assert 'class="empty"' in answer.content.decode()


@pytest.mark.parametrize("model", LISTS)
def test_every_list_and_page_opens_filled_and_escapes_what_the_source_says(model, worked, viewer, desk_of):
    desk = desk_of(viewer)
    page = desk.get(f"/admin/etl/{model}/").content.decode()
    assert HOSTILE not in page
    objects = {
        "productsyncrun": ProductSyncRun,
        "product": Product,
        "productchange": ProductChange,
        "rejectedrow": RejectedRow,
        "watermark": Watermark,
    }[model].objects.all()
    assert objects
    for each in objects:
        answer = desk.get(f"/admin/etl/{model}/{each.pk}/change/")
        assert answer.status_code == 200
        assert HOSTILE not in answer.content.decode()


@pytest.mark.parametrize("model", LISTS)
def test_a_list_costs_the_same_queries_for_one_row_and_for_many(model, worked, stage, synced, viewer, desk_of):
    desk = desk_of(viewer)
    desk.get(f"/admin/etl/{model}/?all=")
    with CaptureQueriesContext(connection) as few:
        desk.get(f"/admin/etl/{model}/")
    for number in range(12):
        stage(f"more-{number}", minute=10 + number)
        stage(f"more-bad-{number}", minute=10 + number, price="x")
        failed_run(requested_by=viewer)
        Watermark.objects.create(
            table_name=f"source {number}", last_processed_at=timezone.now(), last_processed_id=number
        )
    synced()
    with CaptureQueriesContext(connection) as many:
        desk.get(f"/admin/etl/{model}/")
    assert len(many) == len(few)


def test_run_now_queues_a_run_and_leads_to_its_page(operator, desk_of):
    answer = desk_of(operator).post(f"{RUNS}do/run_now/")
    run = ProductSyncRun.objects.get()
    assert answer["Location"] == f"{RUNS}{run.pk}/change/"
    assert (run.status, run.requested_by, run.dry_run) == ("pending", operator, False)
    assert AuditEvent.objects.get(action="product-sync.requested").actor_id == operator.pk


def test_dry_run_queues_a_run_that_writes_nothing(operator, desk_of):
    desk_of(operator).post(f"{RUNS}do/dry_run/")
    assert ProductSyncRun.objects.get().dry_run


def test_a_second_press_says_that_it_is_already_running(operator, desk_of):
    desk = desk_of(operator)
    desk.post(f"{RUNS}do/run_now/")
    page = desk.post(f"{RUNS}do/run_now/", follow=True).content.decode()
    assert "already running" in page
    assert ProductSyncRun.objects.count() == 1


def test_a_viewer_sees_no_buttons_and_may_not_press_them(viewer, desk_of):
    desk = desk_of(viewer)
    run = running_run()
    assert "/do/" not in desk.get(RUNS).content.decode()
    assert "/do/" not in desk.get(f"{RUNS}{run.pk}/change/").content.decode()
    assert desk.post(f"{RUNS}do/run_now/").status_code == 403
    assert desk.post(f"{RUNS}{run.pk}/do/cancel_run/", {"confirmed": 1}).status_code == 403
    run.refresh_from_db()
    assert run.status == "running"


def test_cancel_asks_first_then_ends_the_run_and_leaves_a_trace(operator, desk_of):
    run = running_run()
    desk = desk_of(operator)
    assert desk.post(f"{RUNS}{run.pk}/do/cancel_run/").status_code == 200
    run.refresh_from_db()
    assert run.is_open
    desk.post(f"{RUNS}{run.pk}/do/cancel_run/", {"confirmed": 1})
    run.refresh_from_db()
    assert run.status == "cancelled"
    assert AuditEvent.objects.filter(action="productsyncrun.cancelled", actor_id=operator.pk).exists()


def test_cancelling_a_run_that_has_just_ended_is_a_message(operator, desk_of):
    run = failed_run()
    answer = desk_of(operator).post(f"{RUNS}{run.pk}/do/cancel_run/", {"confirmed": 1}, follow=True)
    assert "already ended" in answer.content.decode()


def test_an_open_run_is_followed_and_a_finished_one_is_not(viewer, desk_of):
    desk = desk_of(viewer)
    running, failed = running_run(), failed_run()
    assert (
        f'data-live="/api/v1/etl/product-runs/{running.pk}"' in desk.get(f"{RUNS}{running.pk}/change/").content.decode()
    )
    page = desk.get(f"{RUNS}{failed.pk}/change/").content.decode()
    assert "data-live=" not in page
    assert "The worker died too often" in page


def test_a_run_whose_worker_is_gone_is_marked(viewer, desk_of):
    running_run(lease_until=timezone.now() - timedelta(minutes=1))
    assert "stalled" in desk_of(viewer).get(RUNS).content.decode()


def test_what_a_later_run_took_over_is_hidden_unless_asked_for(viewer, desk_of):
    desk = desk_of(viewer)
    later = running_run()
    handled = failed_run(superseded_by=later)
    address = f"{RUNS}{handled.pk}/change/"
    assert address not in desk.get(RUNS).content.decode()
    assert address in desk.get(f"{RUNS}?taken_over=all").content.decode()
    assert f"taken over by #{later.pk}" in desk.get(f"{RUNS}?taken_over=only").content.decode()


def test_a_run_lists_its_batches_and_what_a_dry_run_would_change(stage, synced, viewer, desk_of):
    stage("1")
    synced()
    StagingProduct.objects.update(name="Cup", src_updated_at=timezone.now())
    dry = synced(dry_run=True)
    real = ProductSyncRun.objects.filter(dry_run=False).get()
    desk = desk_of(viewer)
    assert 'id="run-batches"' in desk.get(f"{RUNS}{real.pk}/change/").content.decode()
    page = desk.get(f"{RUNS}{dry.pk}/change/").content.decode()
    assert "<del>Mug</del>" in page
    assert "<ins>Cup</ins>" in page


def test_a_change_stands_with_old_and_new_side_by_side(worked, viewer, desk_of):
    change = ProductChange.objects.get(change_type="UPDATE")
    page = desk_of(viewer).get(f"/admin/etl/productchange/{change.pk}/change/").content.decode()
    assert "<del>Mug</del>" in page
    assert "<ins>&lt;script&gt;" in page
    assert "<ins>  &quot;b&quot;</ins>" in page


def test_a_product_shows_its_history(worked, viewer, desk_of):
    product = Product.objects.get(sku="sku-1")
    page = desk_of(viewer).get(f"/admin/etl/product/{product.pk}/change/").content.decode()
    assert page.count('class="change"') == 2


@pytest.mark.parametrize(("wanted", "found"), [("sku-", 3), ("sku-2", 1), ("BRAND sku-0", 1), ("Mug", 2), ("ug", 0)])
def test_products_are_found_by_brand_or_the_beginning_of_sku_or_name(wanted, found, worked, viewer, desk_of):
    answer = desk_of(viewer).get("/admin/etl/product/", {"q": wanted})
    assert answer.context["cl"].result_count == found


def test_retrying_a_mended_row_resolves_it(worked, operator, desk_of):
    row = RejectedRow.objects.get()
    desk = desk_of(operator)
    page = desk.post(f"/admin/etl/rejectedrow/{row.pk}/do/retry/", follow=True).content.decode()
    assert "1 still rejected" in page
    StagingProduct.objects.filter(style_no="bad").update(price="5")
    desk.post(f"/admin/etl/rejectedrow/{row.pk}/do/retry/")
    row.refresh_from_db()
    assert row.resolution == "mended"
    assert Product.objects.filter(sku="bad").exists()


def test_selected_rows_are_retried_together(worked, operator, desk_of):
    StagingProduct.objects.filter(style_no="bad").update(price="5")
    ids = list(RejectedRow.objects.values_list("pk", flat=True))
    desk_of(operator).post("/admin/etl/rejectedrow/", {"action": "retry_selected", "_selected_action": ids})
    assert not RejectedRow.objects.unresolved().exists()


def test_a_viewer_may_not_retry(worked, viewer, desk_of):
    row = RejectedRow.objects.get()
    desk = desk_of(viewer)
    assert desk.post(f"/admin/etl/rejectedrow/{row.pk}/do/retry/").status_code == 403
    assert "retry_selected" not in desk.get("/admin/etl/rejectedrow/").content.decode()


def test_resolved_rows_leave_the_list_and_can_be_asked_for(worked, viewer, desk_of):
    RejectedRow.objects.resolve("products_staging", [RejectedRow.objects.get().src_id], resolution="gone", run_id=None)
    desk = desk_of(viewer)
    assert desk.get("/admin/etl/rejectedrow/").context["cl"].result_count == 0
    assert desk.get("/admin/etl/rejectedrow/?state=resolved").context["cl"].result_count == 1


def rewind(desk, to, reason="read it again"):
    mark = Watermark.objects.get()
    local = timezone.localtime(to)
    form = {"confirmed": 1, "to_0": f"{local:%Y-%m-%d}", "to_1": f"{local:%H:%M:%S}", "reason": reason}
    return desk.post(f"/admin/etl/watermark/{mark.pk}/do/rewind/", form)


def test_an_administrator_rewinds_the_watermark_and_the_reason_is_kept(worked, administrator, desk_of):
    before = Watermark.objects.get().last_processed_at
    to = (before - timedelta(hours=3)).replace(microsecond=0)
    desk = desk_of(administrator)
    assert rewind(desk, to, reason="<b>lost rows</b>").status_code == 302
    mark = Watermark.objects.get()
    assert mark.last_processed_at == to
    event = AuditEvent.objects.get(action="watermark.rewound")
    assert (event.actor_id, event.after["reason"]) == (administrator.pk, "<b>lost rows</b>")
    page = desk.get(f"/admin/etl/watermark/{mark.pk}/change/").content.decode()
    assert "&lt;b&gt;lost rows" in page


def test_a_rewind_without_a_reason_is_asked_again_and_one_forward_is_refused(worked, administrator, desk_of):
    before = Watermark.objects.get().last_processed_at
    desk = desk_of(administrator)
    assert rewind(desk, before - timedelta(hours=1), reason="").status_code == 422
    assert rewind(desk, before + timedelta(hours=1)).status_code == 302
    assert Watermark.objects.get().last_processed_at == before


def test_an_operator_may_not_rewind(worked, operator, desk_of):
    before = Watermark.objects.get().last_processed_at
    assert rewind(desk_of(operator), before - timedelta(hours=1)).status_code == 403
    assert Watermark.objects.get().last_processed_at == before


def test_home_tells_what_waits_and_what_runs(worked, viewer, desk_of):
    failed_run()
    run = running_run(progress=42)
    page = desk_of(viewer).get("/admin/").content.decode()
    assert "1 source row was rejected" in page
    assert "1 product sync failed" in page
    assert f'data-live="/api/v1/etl/product-runs/{run.pk}"' in page
    assert "Changes per day" in page
    assert page.count('class="plot"') == 2


def test_home_costs_no_more_queries_when_there_is_more_to_tell(worked, stage, synced, viewer, desk_of):
    desk = desk_of(viewer)
    desk.get("/admin/")
    with CaptureQueriesContext(connection) as few:
        desk.get("/admin/")
    for number in range(12):
        stage(f"more-{number}", minute=10 + number)
        stage(f"more-bad-{number}", minute=10 + number, price="x")
        failed_run()
    synced()
    with CaptureQueriesContext(connection) as many:
        desk.get("/admin/")
    assert len(many) == len(few)


def test_home_shows_nothing_of_products_to_a_stranger(worked, stranger, desk_of):
    assert "Changes per day" not in desk_of(stranger).get("/admin/").content.decode()
