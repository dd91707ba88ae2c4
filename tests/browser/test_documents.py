"""Documents in a real browser with a real worker: handed in, watched to their end, looked at, mounted, un-mounted."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from openpyxl import Workbook
from playwright.sync_api import Page, expect

import documents
from etl.models import ETLRule, ETLTask, Table, TableMount
from processes import Worker

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TASKS = "/admin/etl/etltask/"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
ENDED_MS = 150_000
ITEM = {"name": {"type": "string", "title": "名称"}, "price": {"type": "number", "title": "单价"}}
SCHEMA = {
    "type": "object",
    "properties": {"items": {"type": "array", "items": {"type": "object", "properties": ITEM}}},
}
WORDS = {
    "en-GB": {
        "upload": "Upload documents", "queued": "3 documents are queued.", "mount": "Mount", "gone": "There is nothing",
        "mounted": "It is mounted at", "unmount": "Un-mount", "unmounted": "was un-mounted", "done": "Completed",
    },
    "zh-CN": {
        "upload": "上传文档", "queued": "3 个文档已排队。", "mount": "挂载", "gone": "处没有内容",
        "mounted": "已挂载到", "unmount": "卸载", "unmounted": "已卸载", "done": "已完成",
    },
}  # fmt: skip


@pytest.fixture
def ready(operator: User, settings: Any, tmp_path: Any) -> Iterator[Table]:
    """A project with a rule, and a table to mount into."""
    settings.DOCUMENTS_DIR = tmp_path
    project = documents.project(operator, name="目录 Catalogs")
    ETLRule.objects.create(name="Prices", owner=operator, project=project, json_schema=SCHEMA)
    return documents.table(project, '{"sources": {"files": {}}}', name="Catalog")


def uploads() -> list[dict[str, Any]]:
    """Three documents, as the dialog of a browser gives them."""
    book, out = Workbook(), io.BytesIO()
    for row in (["名称", "单价"], ["盘子", 2.5], ["碗", 3]):
        book.active.append(row)
    book.save(out)
    page = "<html><body><h1>Price list</h1><table><tr><th>名称</th><th>单价</th></tr><tr><td>勺子</td><td>4</td></tr>"
    return [
        {"name": "价格 list.csv", "mimeType": "text/csv", "buffer": "名称,单价\n杯子,1.10\n茶壶,20\n".encode("gbk")},
        {"name": "book.xlsx", "mimeType": "application/octet-stream", "buffer": out.getvalue()},
        {"name": "page.html", "mimeType": "text/html", "buffer": f"{page}</table></body></html>".encode()},
    ]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("language", "width"), [("en-GB", 1440), ("zh-CN", 390)])
def test_three_files_are_read_shaped_mounted_and_taken_out_again(
    language: str, width: int, ready: Table, operator: User, settings: Any, page_of: Callable[..., Page]
) -> None:
    words = WORDS[language]
    page = page_of(operator, language=language, width=width)
    page.goto("/admin/etl/upload/")
    page.set_input_files("input[type=file]", uploads())
    expect(page.locator("[data-chosen] li")).to_have_count(3)
    page.select_option("#id_rule", label="Prices")
    page.get_by_role("button", name=words["upload"]).click()
    expect(page.locator(".messagelist")).to_contain_text(words["queued"])
    expect(page.locator("#result_list tbody tr")).to_have_count(3)

    page.get_by_role("link", name="价格 list.csv").click()
    expect(page.locator(".step-now")).to_have_count(1)
    expect(page.locator("[data-live]")).to_have_count(1)
    page.evaluate("window.watched = true")
    with Worker("etl", DOCUMENTS_DIR=str(settings.DOCUMENTS_DIR)):
        expect(page.locator(".step-done")).to_have_count(4, timeout=ENDED_MS)
        page.wait_for_selector("#task-json", timeout=ENDED_MS)  # the page was drawn anew with what came of it
        for name in ("book.xlsx", "page.html"):
            other = ETLTask.objects.get(filename=name)
            page.goto(f"{TASKS}{other.pk}/change/")
            page.wait_for_selector("#task-json", timeout=ENDED_MS)
            expect(page.locator(".json-box")).to_contain_text("盘子" if name == "book.xlsx" else "勺子")
    assert set(ETLTask.objects.values_list("status", flat=True)) == {"completed"}

    task = ETLTask.objects.get(filename="价格 list.csv")
    page.goto(f"{TASKS}{task.pk}/change/")
    expect(page.locator("[data-live]")).to_have_count(0)
    expect(page.locator(".document-text td").first).to_have_text("杯子")
    price = page.locator(".json-value", has_text="1.10")
    if not price.is_visible():
        page.locator(".json-tree details:not([open]) > summary").first.click()
    expect(price).to_be_visible()
    assert page.evaluate(OVERFLOW) <= 0

    page.locator(".object-tools").get_by_role("link", name=words["mount"], exact=True).click()
    mount = page.locator("[data-mount]")
    expect(mount).to_be_disabled()
    page.select_option("#id_table", label="目录 Catalogs / Catalog")
    page.fill("#id_pointer", "/nowhere")
    expect(page.locator("#mount-check")).to_contain_text(words["gone"])
    expect(mount).to_be_disabled()
    page.fill("#id_pointer", "/sources/files")
    expect(page.locator("#mount-check .badge-ok")).to_be_visible()
    expect(page.locator("#mount-check ins", has_text="1.10")).to_be_visible()
    expect(page.locator("#mount-check")).to_contain_text("/sources/files/价格 list")
    assert page.evaluate(OVERFLOW) <= 0
    mount.click()
    expect(page.locator(".messagelist")).to_contain_text(words["mounted"])
    assert '"杯子"' in documents.at(ready, "sources", "files", "价格 list")

    page.locator("#mounts").get_by_role("button", name=words["unmount"]).click()
    page.locator("dialog.confirm [value=yes]").click()
    expect(page.locator(".messagelist")).to_contain_text(words["unmounted"])
    assert documents.at(ready, "sources", "files") == "{}"
    assert TableMount.objects.get().unmounted_at is not None
    assert page.complaints == []


def test_files_are_dropped_and_taken_off_the_list(ready: Table, operator: User, page_of: Callable[..., Page]) -> None:
    page = page_of(operator)
    page.goto("/admin/etl/upload/")
    page.set_input_files("input[type=file]", uploads()[:1])
    page.evaluate(
        """() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File(["a"], "<img src=x onerror=alert(1)>.txt"));
            document.getElementById("upload-form").dispatchEvent(
                new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
        }"""
    )
    expect(page.locator("[data-chosen] li")).to_have_count(2)
    expect(page.locator("[data-chosen]")).to_contain_text("<img src=x onerror=alert(1)>.txt")
    page.locator("[data-chosen] button").first.click()
    expect(page.locator("[data-chosen] li")).to_have_count(1)
    assert page.evaluate("document.querySelector('input[type=file]').files.length") == 1
    assert page.complaints == []


def test_without_a_script_the_same_is_done_by_buttons(
    ready: Table, operator: User, browser: Any, live_server: Any, client: Any
) -> None:
    task = documents.task(ready.project, '{"a": 1}')
    client.force_login(operator)
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    for name, morsel in client.cookies.items():
        context.add_cookies([{"name": name, "value": morsel.value, "url": live_server.url}])
    page = context.new_page()
    page.goto("/admin/etl/upload/")
    page.set_input_files("input[type=file]", uploads()[:2])
    page.get_by_role("button", name="Upload documents").click()
    assert ETLTask.objects.count() == 3
    page.goto(f"{TASKS}{task.pk}/mount/")
    page.select_option("#id_table", label="目录 Catalogs / Catalog")
    page.fill("#id_pointer", "/sources")
    page.get_by_role("button", name="Check").click()
    expect(page.locator("#mount-check .badge-ok")).to_be_visible()
    page.locator("[data-mount]").click()
    expect(page.locator(".messagelist")).to_contain_text("It is mounted at /sources/catalog")
    page.locator("#mounts").get_by_role("button", name="Un-mount").click()
    page.get_by_role("button", name="Un-mount").click()
    expect(page.locator(".messagelist")).to_contain_text("was un-mounted")
    context.close()
