"""mineru.net: what its codes mean, where files may go, and what its archives may hold."""

import socket

import pytest
from werkzeug import Response

from etl.documents.mineru import archive, places
from etl.documents.parsed import Unreadable
from mineru_servers import MARKDOWN, SIGNATURE, TOKEN, archive_of, as_json
from runs.errors import Outage

BATCH = "POST .*/file-urls/batch"
RESULTS = "GET .*/extract-results/.*"


@pytest.fixture
def server(mineru):
    return mineru("hosted")


def refusal(task):
    with pytest.raises(Unreadable) as raised:
        task.read()
    return raised.value.slug, raised.value.text


def test_the_file_is_put_with_neither_key_nor_type(server, task):
    task(server).read()
    sent = server.upload_headers
    assert "Authorization" not in sent
    assert "Content-Type" not in sent
    assert sent["Content-Length"] == "19"
    (got,) = [request for request in server.requests if request.path.startswith("/cdn/")]
    assert "Authorization" not in got.headers
    assert server.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_pages_are_reported(server, task):
    mine = task(server)
    mine.read()
    assert (3, 7) in mine.told
    assert mine.told == sorted(mine.told, key=lambda each: each[0])


def test_options_are_passed_on(server, task, settings):
    settings.ETL_MINERU_LANGUAGE, settings.ETL_MINERU_BACKEND, settings.ETL_MINERU_OCR = "en", "vlm", "ocr"
    task(server).read()
    assert server.form["files"] == [{"name": "document.pdf", "is_ocr": True}]
    assert (server.form["language"], server.form["model_version"]) == ("en", "vlm")


def test_a_web_page_needs_a_model_of_its_own(server, task):
    task(server).read(filename="a.HTML")
    assert server.form["model_version"] == "MinerU-HTML"
    task(server).read(filename="a.docx")
    assert "model_version" not in server.form


@pytest.mark.parametrize(
    ("code", "slug"),
    [
        ("A0202", "parser-refused"),
        ("A0211", "parser-refused"),
        (-500, "parser-refused"),
        (-10002, "parser-refused"),
        (-60002, "unknown-file-type"),
        (-60004, "empty-file"),
        (-60005, "file-too-large"),
        (-60006, "too-many-pages"),
        (-60010, "parser-failed"),
        (-60018, "parser-refused"),
        (-60019, "parser-refused"),
        (-99999, "parser-refused"),
    ],
)
@pytest.mark.parametrize("asked", [BATCH, RESULTS])
def test_a_code_that_no_waiting_mends(server, task, code, slug, asked):
    server.fails(asked, code)
    got, text = refusal(task(server))
    assert got == slug
    assert ("ETL_MINERU_TOKEN" in text) == (code in ("A0202", "A0211"))
    assert ("quota" in text) == (code in (-60018, -60019))


def test_the_gateway_has_words_of_its_own(server, task, settings):
    settings.ETL_MINERU_TOKEN = "expired"
    assert refusal(task(server)) == ("parser-refused", "The MinerU server refuses the token (ETL_MINERU_TOKEN).")


@pytest.mark.parametrize(("code", "seconds"), [(-60009, 120), (-60007, 0), (-10001, 0)])
def test_a_code_that_waiting_mends(server, task, code, seconds):
    server.fails(BATCH, code, "queue full")
    with pytest.raises(Outage, match="queue full") as raised:
        task(server).read()
    assert (raised.value.slug, raised.value.asked_to_wait) == ("parser-away", seconds)


def test_a_document_that_failed_there_may_have_a_code_as_well(server, task):
    found = {"state": "failed", "err_msg": "pages: 900", "err_code": "-60006"}
    server.instead(RESULTS, server.envelope({"extract_result": [found]}))
    assert refusal(task(server)) == ("too-many-pages", "pages: 900 (-60006)")


@pytest.mark.parametrize(("status", "slug"), [(403, "parser-refused"), (400, "parser-refused")])
def test_storage_that_does_not_take_the_file(server, task, status, slug):
    server.instead("PUT .*", Response(SIGNATURE, status=status))
    mine = task(server)
    got, text = refusal(mine)
    assert (got, mine.kept) == (slug, [])
    assert SIGNATURE not in text


@pytest.mark.parametrize("what", ["PUT .*", "GET /cdn/.*"])
def test_storage_that_fails_lets_the_run_wait(server, task, what):
    server.instead(what, Response(status=503), times=3)
    with pytest.raises(Outage, match="503"):
        task(server).read()


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:{port}/oss/x?{signature}",
        "http://127.0.0.1:1/oss/x?{signature}",
        "https://mineru.net.evil.example/x",
        "https://cdn-mineru.openxlab.org.cn@127.0.0.1/x",
        "http://cdn-mineru.openxlab.org.cn/x",
        "file:///etc/passwd",
        "https://[::1",
        "",
    ],
)
def test_no_file_goes_to_a_host_that_is_not_allowed(server, task, address):
    address = address.format(port=server.http.port, signature=SIGNATURE)
    server.instead(BATCH, server.envelope({"batch_id": "b", "file_urls": [address]}))
    slug, text = refusal(task(server))
    assert slug == "parser-failed"
    assert SIGNATURE not in text
    assert not any(request.method == "PUT" for request in server.requests)


def test_no_result_is_fetched_from_a_host_that_is_not_allowed_unless_the_operator_says_so(server, task, settings):
    server.storage = server.storage.replace("127.0.0.1", "localhost")
    kept = server.storage
    server.instead(BATCH, server.envelope({"batch_id": "b", "file_urls": [server.url.replace("/api/v4", "/oss/b")]}))
    slug, text = refusal(task(server))
    assert slug == "parser-failed"
    assert "ETL_MINERU_DOWNLOAD_HOSTS" in text
    settings.ETL_MINERU_DOWNLOAD_HOSTS = (kept.removeprefix("http://"),)
    assert task(server).read().markdown == MARKDOWN


def test_a_name_of_mineru_that_leads_into_our_network_is_refused(server, monkeypatch):
    resolved = []
    monkeypatch.setattr(places, "getproxies", dict)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *asked, **more: [(2, 1, 6, "", (each, 443)) for each in resolved])
    url = "https://cdn-mineru.openxlab.org.cn/pdf/x.zip"
    resolved[:] = ["47.100.1.1"]
    assert places.approved(url) == url
    assert places.approved("https://api.mineru.net/x")
    for private in ("10.1.2.3", "127.0.0.1", "169.254.169.254", "::1", "fd00::1", "224.0.0.1"):
        resolved[:] = ["47.100.1.1", private]
        with pytest.raises(Unreadable):
            places.approved(url)


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_result_is_followed_to_another_path_but_not_to_another_host(server, task, status, settings):
    moved = server.storage + "/cdn/moved.zip?" + SIGNATURE
    server.instead("GET /cdn/batch.*", Response(status=status, headers={"Location": moved}))
    assert task(server).read().markdown == MARKDOWN
    foreign = moved.replace("127.0.0.1", "localhost")
    settings.ETL_MINERU_DOWNLOAD_HOSTS = (f"localhost:{server.http.port}",)  # which may be named, but not led to
    server.instead("GET /cdn/batch.*", Response(status=status, headers={"Location": foreign}))
    before = len(server.requests)
    assert refusal(task(server))[0] == "parser-failed"
    assert not any("moved" in request.path for request in server.requests[before:])


def test_redirects_in_a_circle_end(server, task):
    server.instead("GET /cdn/.*", Response(status=302, headers={"Location": "?again"}), times=50)
    assert refusal(task(server))[0] == "parser-failed"
    assert sum(request.path.startswith("/cdn/") for request in server.requests) == 4


BOMB = {"full.md": "0" * 3_000_000}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"../full.md": "x"}, "unsafe"),
        ({"full.md": "x", "a/../../b": "x"}, "unsafe"),
        ({"full.md": "x", "/etc/cron.d/x": "x"}, "unsafe"),
        ({"full.md": "x", "..\\b": "x"}, "unsafe"),
        ({"full.md": "x", "C:\\b": "x"}, "unsafe"),
        (BOMB, "unsafe"),
        ({"full.md": "x", "images/a.png": "0" * 3_000_000}, "unsafe"),
        ({"x_content_list.json": "[]"}, "no Markdown"),
        ({}, "no Markdown"),
        (b"<html>no archive", "broken"),
        (b"", "broken"),
        (archive_of({"full.md": MARKDOWN})[:-30], "broken"),
    ],
)
def test_an_archive_that_is_not_as_it_should_be(server, task, content, told):
    server.archive = content
    slug, text = refusal(task(server))
    assert slug == "parser-failed"
    assert told in text


def test_an_archive_with_too_many_members_or_bytes(server, task, monkeypatch, settings):
    monkeypatch.setattr(archive, "MOST_MEMBERS", 2)
    assert "unsafe" in refusal(task(server))[1]
    monkeypatch.setattr(archive, "MOST_MEMBERS", 3)
    monkeypatch.setattr(archive, "MOST_BYTES_OF_DIRECTORY", 100)
    assert "unsafe" in refusal(task(server))[1]
    settings.ETL_MAX_BYTES = 20
    assert "too large" in refusal(task(server))[1]


def test_an_archive_that_lies_about_its_sizes_is_broken(server, task):
    honest = archive_of({"full.md": "0" * 100_000})
    server.archive = honest.replace((100_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert server.archive != honest
    assert refusal(task(server))[0] == "parser-failed"


@pytest.mark.parametrize(
    ("members", "chosen"),
    [
        ({"a.md": "1", "deep/full.md": "2", "images/full.txt": "3"}, "2"),
        ({"b/c.md": "1", "z.md": "2"}, "2"),
        ({"REPORT.MD": "\ufeff年"}, "年"),
    ],
)
def test_the_text_is_the_one_called_full_or_the_outermost(server, task, members, chosen):
    server.archive = members
    assert task(server).read().markdown == chosen


def test_a_batch_that_names_no_address_lets_the_run_wait(server, task):
    server.instead(BATCH, server.envelope({"batch_id": "b", "file_urls": []}))
    with pytest.raises(Outage):
        task(server).read()


def test_another_server_at_the_address_is_told(server, task):
    server.instead(".*", as_json({"detail": "Not Found"}, 404), times=100)
    assert refusal(task(server))[0] == "unsupported-server"
