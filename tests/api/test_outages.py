"""A server of ours that is away: an answer that says so, in the reader's language, and soon."""

import socket

import pytest

from config.celery import app
from etl.models import ProductSyncRun
from processes import python

NOWHERE = "postgresql://pressroom@127.0.0.1:1/pressroom"

ASK = """
from django.test import Client
client = Client(raise_request_exception=False, headers={"host": "localhost"})
client.cookies["sessionid"] = "x" * 32  # whoever comes with a session is looked up
for address in ("/admin/", "/api/v1/me"):
    answer = client.get(address, headers={"accept-language": "zh-hans"})
    print(answer.status_code, answer.headers.get("Retry-After"), answer.headers["Content-Type"])
    print(answer.content.decode().replace("\\n", " "))
"""


@pytest.mark.long
@pytest.mark.django_db
def test_a_database_that_is_away_is_a_page_and_a_problem_that_ask_to_come_back():
    done = python(ASK, DATABASE_URL=NOWHERE, DEBUG="0", REDIS_URL="redis://127.0.0.1:1/0", HTTPS="0")
    page_head, page, problem_head, problem = done.stdout.strip().split("\n")
    assert page_head == "503 1 text/html; charset=utf-8"
    assert '<html lang="zh-hans">' in page
    assert "无法连接数据库" in page
    assert "没有任何更改" in page
    assert problem_head == "503 1 application/problem+json"
    assert '"type":"/problems/database-unavailable"' in problem
    assert "127.0.0.1" not in page + problem


RING = """
import time
from rest_framework.test import APIClient
client = APIClient(headers={{"host": "localhost"}})
started = time.monotonic()
answer = client.post("/api/v1/etl/product-runs", {{}}, format="json", HTTP_AUTHORIZATION={credentials!r})
print(answer.status_code, answer.json()["status"], f"{{time.monotonic() - started:.1f}} s")
"""


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_a_redis_that_hangs_costs_a_request_its_bell_and_a_moment(operator, client_of):
    credentials = client_of(operator)._credentials["HTTP_AUTHORIZATION"]
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, never says a word
        hanging = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        done = python(RING.format(credentials=credentials), REDIS_URL=hanging)
    assert done.stdout.startswith("202 pending"), done.stderr
    print("a POST while Redis hangs:", done.stdout.split(" ", 2)[2])
    assert ProductSyncRun.objects.get().dispatched_at is None  # the reaper will ring


def test_who_rings_waits_shorter_than_who_listens():
    """Half a second, a few times, for a request; a worker's blocking read must outlast its poll."""
    with app.connection_for_write() as ringing, app.connection_for_read() as listening:
        assert ringing.transport_options["socket_timeout"] == 0.5
        assert listening.transport_options["socket_timeout"] == 5
    assert app.producer_pool.connections.connection.transport_options["socket_timeout"] == 0.5
    assert app.conf.task_publish_retry_policy["max_retries"] == 1
