"""A server tells how it wants to be spoken to; one we cannot speak to is told by name. The doctor says so too."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from werkzeug import Response

from config import mineru as setting
from etl.documents.mineru import checkup
from etl.documents.parsed import Unreadable
from mineru_servers import MARKDOWN, TOKEN, as_json
from watch.findings import Up

UP = Up(database=True, redis=True)
FOUR_ONE = {"paths": {"/v1/tasks": {}, "/v1/tasks/{task_id}": {}, "/v1/tasks/{task_id}/cancel": {}}}


@pytest.mark.parametrize(("generation", "hidden"), [("3", False), ("4", False), ("3", True), ("4", True)])
def test_the_contract_is_found_out_once(mineru, task, generation, hidden):
    server = mineru(generation)
    if hidden:  # MINERU_API_ENABLE_FASTAPI_DOCS=0
        server.instead("GET /openapi.json", as_json({"detail": "Not Found"}, 404), times=9)
    for _time in range(2):
        assert task(server).read().parser.startswith(f"mineru {generation}.")
    assert sum(request.path == "/openapi.json" for request in server.requests) == 1


@pytest.mark.parametrize(
    ("described", "told"),
    [
        (FOUR_ONE, "4.1"),
        ({"paths": {"/file_parse": {}}}, "before 3.0"),
        ({"paths": {"/pets": {}}}, "does not describe itself"),
        ({}, "does not describe itself"),
    ],
)
def test_a_server_of_another_kind_is_told_by_name(mineru, task, described, told):
    server = mineru("3")
    server.instead("GET /openapi.json", as_json(described), times=9)
    server.instead("GET /health", as_json({}, 404), times=9)
    with pytest.raises(Unreadable) as raised:
        task(server).read()
    assert raised.value.slug == "unsupported-server"
    assert told in raised.value.text
    (finding,) = checkup.examine(UP)
    assert not finding.ok
    assert told in finding.text


def test_a_version_that_hides_its_routes_is_told_by_number(mineru, task):
    server = mineru("4")
    server.version = "4.1.0"
    server.instead("GET /openapi.json", as_json({}, 404))
    with pytest.raises(Unreadable, match=r"4\.1\.0"):
        task(server).read()


@pytest.mark.parametrize(("generation", "contract"), [("3", "4"), ("4", "3"), ("3", "hosted")])
def test_a_contract_that_is_set_wrongly_is_told(mineru, task, generation, contract):
    server = mineru(generation, contract=contract)
    with pytest.raises(Unreadable) as raised:
        task(server).read()
    assert raised.value.slug == "unsupported-server"
    assert not server.submissions


def test_a_contract_that_is_set_is_not_asked_for(mineru, task):
    server = mineru("4", contract="4")
    assert task(server).read().markdown == MARKDOWN
    assert not any(request.path == "/openapi.json" for request in server.requests)


@pytest.mark.parametrize(("generation", "version"), [("3", "3.4.4"), ("4", "4.0.12"), ("hosted", "v4")])
def test_the_doctor_names_the_version(mineru, generation, version):
    mineru(generation)
    (finding,) = checkup.examine(UP)
    assert finding.ok
    assert version in finding.text


@pytest.mark.parametrize("generation", ["4", "hosted"])
def test_the_doctor_tells_of_a_key_that_is_refused(mineru, settings, generation):
    server = mineru(generation)
    server.token, settings.ETL_MINERU_TOKEN = "another", TOKEN
    (finding,) = checkup.examine(UP)
    assert not finding.ok
    assert "ETL_MINERU_TOKEN" in finding.text
    assert TOKEN not in finding.text


def test_the_doctor_tells_of_a_server_that_is_not_there_or_not_well(mineru, settings):
    mineru("3").instead("GET /health", Response(status=503))
    (finding,) = checkup.examine(UP)
    assert not finding.ok
    settings.ETL_MINERU_URL = "http://127.0.0.1:1"
    (finding,) = checkup.examine(UP)
    assert "cannot be reached" in finding.text
    assert "ETL_MINERU_URL" in finding.mend


def test_the_doctor_asks_nobody_where_documents_are_read_here(mineru, settings):
    server = mineru("3")
    settings.ETL_PARSER = "local"
    assert list(checkup.examine(UP)) == []
    assert not server.requests


@pytest.mark.parametrize(
    ("values", "contract", "url"),
    [
        ({}, "auto", ""),
        ({"ETL_MINERU_URL": "http://gpu:8000/"}, "auto", "http://gpu:8000"),
        ({"ETL_MINERU_URL": "https://mineru.net/api/v4/"}, "hosted", "https://mineru.net/api/v4"),
        ({"ETL_MINERU_URL": "https://inner.example/api/v4"}, "hosted", "https://inner.example/api/v4"),
        ({"ETL_MINERU_CONTRACT": "hosted"}, "hosted", "https://mineru.net/api/v4"),
        ({"ETL_MINERU_URL": "http://gpu:8000", "ETL_MINERU_CONTRACT": "3"}, "3", "http://gpu:8000"),
    ],
)
def test_settings_that_fit(values, contract, url):
    assert setting.contract_of(values) == contract
    assert setting.url_of(values, parser="local") == url


@pytest.mark.parametrize(
    ("values", "variable"),
    [
        ({}, "ETL_MINERU_URL"),
        ({"ETL_MINERU_URL": "gpu:8000"}, "ETL_MINERU_URL"),
        ({"ETL_MINERU_URL": "http://gpu:x"}, "ETL_MINERU_URL"),
        ({"ETL_MINERU_URL": "http://me:hunter2@gpu"}, "ETL_MINERU_TOKEN"),
        ({"ETL_MINERU_URL": "http://gpu", "ETL_MINERU_CONTRACT": "2"}, "ETL_MINERU_CONTRACT"),
        ({"ETL_MINERU_URL": "https://mineru.net/api/v4"}, "ETL_MINERU_TOKEN"),
        ({"ETL_MINERU_URL": "http://gpu", "ETL_MINERU_TOKEN": "hunter2\r\nX: y"}, "ETL_MINERU_TOKEN"),
        ({"ETL_MINERU_URL": "http://gpu", "ETL_MINERU_DOWNLOAD_HOSTS": "a, http://b"}, "ETL_MINERU_DOWNLOAD_HOSTS"),
    ],
)
def test_settings_that_do_not_fit_are_one_line_that_names_them(values, variable):
    def read():
        setting.url_of(values, parser="mineru")
        setting.token_of(values, parser="mineru")
        setting.file_hosts_of(values)

    with pytest.raises(ImproperlyConfigured, match=variable) as refused:
        read()
    assert "hunter2" not in str(refused.value)


def test_hosts_are_a_list():
    values = {"ETL_MINERU_DOWNLOAD_HOSTS": " CDN.example, *.b.example:8443 ,[::1]:9000"}
    assert setting.file_hosts_of(values) == ("cdn.example", "*.b.example:8443", "[::1]:9000")
