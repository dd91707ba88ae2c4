"""The change feed under writers that commit out of order, killed consumers and a crashed server.

Lengths follow FAULTS: short (make test), ci (make test-all), full (make soak).
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from django.db import connection

from config.servers import Postgres
from etl.models import FeedConsumer, ProductChange
from etl.products import feed
from etl.products.cursors import parse
from processes import ROOT, environment, manage, python, start_manage, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults, pytest.mark.timeout(600)]

LENGTH = os.environ.get("FAULTS", "short")
SECONDS = {"short": 3, "ci": 10, "full": 60}[LENGTH]
KILLS = {"short": 3, "ci": 5, "full": 20}[LENGTH]
WRITERS, PRODUCTS = 8, 8
START_LINE = 4711

# Each transaction has its number early (as a run's fence gives it), then waits, then writes through product
# sync's own statement, then waits before it commits or (one in eight) rolls back. `turn` is counted under the
# product's lock and knows nothing of ids: it is the order that the feed must keep.
# One process starts Django and forks the writers before it has a connection.
WRITERS_AT_WORK = """
import os, random, sys, time
from django.db import connection, transaction
from etl.products.merge import CREATE_INCOMING, MERGE

children = []
for seed in range({count}):
    child = os.fork()
    if child == 0:
        break
    children.append(child)
else:
    sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
random.seed(seed)
with connection.cursor() as cursor:
    cursor.execute("SELECT pg_advisory_lock_shared(%s)", [{start_line}])  # all start together
end = time.monotonic() + {seconds}
while time.monotonic() < end:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()")
        time.sleep(random.expovariate(50))
        cursor.execute(CREATE_INCOMING)
        skus = random.sample(range({products}), random.randint(1, 3))
        cursor.execute(
            "INSERT INTO product_incoming SELECT 'B', sku, '', 1, true, '[]', '[]', '{{}}', null, null,"
            " gen_random_uuid()::text FROM unnest(%s::text[]) sku", [[str(sku) for sku in skus]])
        cursor.execute("SELECT last_value FROM product_change_log_id_seq")
        cursor.execute(MERGE, {{"run_id": None, "rows": len(skus)}})
        cursor.execute(
            "INSERT INTO feed_truth SELECT c.id, c.sku, 1 + coalesce((SELECT max(turn) FROM feed_truth t"
            " WHERE t.sku = c.sku), 0) FROM product_change_log c WHERE c.xid = pg_current_xact_id()")
        time.sleep(random.expovariate(100))
        if random.random() < 0.125:
            transaction.set_rollback(True)
"""


class Follower:
    """What a consumer has got, by whatever cursor, and what is wrong with it."""

    def __init__(self, name):
        self.name, self.got = name, []

    def wrongs(self, truth):
        """(missed, got twice, out of order within a product)."""
        turns, late = defaultdict(int), 0
        for pk in dict.fromkeys(self.got):
            sku, turn = truth[pk]
            late += turn < turns[sku]
            turns[sku] = max(turn, turns[sku])
        return len(truth) - len(set(self.got)), len(self.got) - len(set(self.got)), late


class FeedFollower(Follower):
    """Polls the change feed with pages of every size, few and many changes alike."""

    cursor = feed.BEGIN

    def poll(self):
        feed.FEW, feed.WINDOW = random.choice([(0, 5), (3, 20), (2_000, 5_000)])  # noqa: S311
        page = feed.read(self.cursor, size=random.choice([1, 7, 100]))  # noqa: S311
        self.got += [change.pk for change in page.changes]
        self.cursor = page.cursor
        return page.more


class IdFollower(Follower):
    """The plain way: everything beyond the last id."""

    last = 0

    def poll(self):
        found = list(ProductChange.objects.filter(pk__gt=self.last).order_by("pk").values_list("pk", flat=True))
        self.got += found
        self.last = found[-1] if found else self.last


class XminFollower(Follower):
    """The usual way: everything below the oldest open transaction."""

    seen = 0

    def poll(self):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
            upto = int(cursor.fetchone()[0])
        found = ProductChange.objects.filter(xid__gte=self.seen, xid__lt=upto).order_by("pk")
        self.got += found.values_list("pk", flat=True)
        self.seen = upto


@pytest.fixture
def truth_table(transactional_db):
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE feed_truth (id bigint, sku text, turn bigint)")
        cursor.execute("CREATE INDEX ON feed_truth (sku, turn)")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE feed_truth")


@pytest.fixture
def constants_kept():
    kept = feed.FEW, feed.WINDOW
    yield
    feed.FEW, feed.WINDOW = kept


def writers(stack, count, seconds):
    """`count` processes that write for a while; their parent, which ends with the last of them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [START_LINE])
    code = WRITERS_AT_WORK.format(count=count, seconds=seconds, products=PRODUCTS, start_line=START_LINE)
    parent = start_python(code)
    stack.callback(parent.kill)
    wait_until(lambda: waiting_at_the_start() == count, timeout=120, what="the writers' start")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [START_LINE])
    return parent


def waiting_at_the_start():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return cursor.fetchone()[0]


def start_python(code):
    return subprocess.Popen(
        [sys.executable, "-c", f"import django; django.setup()\n{code}"],
        cwd=ROOT, env=environment(DJANGO_SETTINGS_MODULE="config.settings"), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def truth():
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, sku, turn FROM feed_truth")
        return {pk: (sku, turn) for pk, sku, turn in cursor.fetchall()}


def test_a_poller_sees_every_change_once_and_in_order_while_eight_writers_commit_out_of_order(
    truth_table, constants_kept
):
    ours = FeedFollower("change feed")
    followers = [ours, IdFollower("id cursor"), XminFollower("xmin cursor")]
    with ExitStack() as stack:
        writing = writers(stack, WRITERS, SECONDS)
        polls = 0
        while writing.poll() is None:
            for follower in followers:
                follower.poll()
            polls += 1
        failure = writing.stderr.read() if writing.returncode else ""
    for follower in followers:
        follower.poll()
    while ours.poll():
        pass
    known = truth()
    wrongs = {follower.name: follower.wrongs(known) for follower in followers}
    print(f"\n{len(known)} changes by {WRITERS} writers in {SECONDS} s, {polls} polls of each")
    for name, (missed, twice, late) in wrongs.items():
        print(f"  {name:12} missed {missed}, twice {twice}, out of order {late}")
    assert writing.returncode == 0, failure
    assert len(known) == ProductChange.objects.count() > 20 * SECONDS
    assert wrongs["change feed"] == (0, 0, 0)
    assert wrongs["id cursor"][0] > 0, "the negative control did not fail"
    assert wrongs["xmin cursor"][2] > 0, "the negative control did not fail"


@pytest.mark.long
def test_a_consumer_killed_again_and_again_counts_every_change_once(truth_table, tmp_path):
    """--consumer counts in the transaction that moves its place; --cursor-file repeats a page at most."""
    place = tmp_path / "cursor"
    printed = []
    with ExitStack() as stack:
        writing = writers(stack, 2, SECONDS + 2 * KILLS)
        for _ in range(KILLS):
            followers = [
                start_manage("consume_product_changes", *where, "--follow", "--every", "0.05", "--limit", "3")
                for where in (["--consumer", "killed"], ["--cursor-file", str(place)])
            ]
            for follower in followers:
                stack.callback(follower.kill)
            before = received()
            wait_until(lambda: received() > before and place.exists(), what="news")  # noqa: B023
            time.sleep(random.uniform(0, 0.3))  # noqa: S311 - a kill at any point
            for follower in followers:
                os.killpg(follower.pid, signal.SIGKILL)
            printed += printed_ids(followers[1].communicate()[0])
        assert writing.wait() == 0
    assert manage("consume_product_changes", "--consumer", "killed").returncode == 0
    printed += printed_ids(manage("consume_product_changes", "--cursor-file", str(place)).stdout)
    known = truth()
    print(f"\n{KILLS} kills, {len(known)} changes: {received()} counted, {len(printed)} printed by the file's consumer")
    assert received() == len(known)
    assert set(printed) == set(known)
    assert len(printed) - len(known) <= 3 * KILLS  # a page for each kill


def received():
    return FeedConsumer.objects.filter(name="killed").values_list("received", flat=True).first() or 0


def printed_ids(text):
    return [int(line.split()[0]) for line in text.splitlines() if line.endswith("\n") or len(line.split()) >= 4]


@pytest.fixture
def own_server():
    """A PostgreSQL of this test alone, which may be crashed."""
    with tempfile.TemporaryDirectory(prefix="pressroom-feed-", dir="/tmp") as folder:
        sockets = Path(folder) / "s"
        sockets.mkdir()
        server = Postgres(Path(folder) / "data", sockets, durable=True)
        server.ensure()
        try:
            yield server
        finally:
            server.stop()


def crash(server):
    """What `pg_ctl stop -m immediate` does; then start again."""
    postmaster = int((server.data / "postmaster.pid").read_text().split("\n")[0])
    os.kill(postmaster, signal.SIGQUIT)
    wait_until(lambda: not (server.data / "postmaster.pid").exists() or gone(postmaster), what="the crash")
    server.ensure()


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


WRITE = """
    INSERT INTO product_change_log (product_id, brand_code, sku, change_type, new_version, changed_fields)
    VALUES (1, 'B', '1', 'UPDATE', 'v', '{}') RETURNING id
"""


@pytest.mark.long
def test_a_transaction_number_that_a_crash_gives_out_again_hides_no_change(own_server):
    url = f"postgresql://postgres@{quote(str(own_server.sockets), safe='')}/pressroom"
    extra = {"DATABASE_URL": url}
    migrated = manage("migrate", "-v0", **extra)
    assert migrated.returncode == 0, migrated.stderr
    with psycopg.connect(url, autocommit=True) as sql:
        sql.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")  # or an aborted number reaches the disk by itself
    crash(own_server)
    with psycopg.connect(url, autocommit=True) as sql:
        (first,) = sql.execute(WRITE).fetchone()
        for _ in range(5):
            with sql.transaction(force_rollback=True):
                sql.execute("SELECT pg_current_xact_id()")
        (naive,) = sql.execute("SELECT pg_current_snapshot()::text").fetchone()
        cursor = read_there(extra, feed.BEGIN)
        assert cursor["ids"] == [first]
    crash(own_server)
    with psycopg.connect(url, autocommit=True) as sql:
        (second,) = sql.execute(WRITE).fetchone()
        hidden = "SELECT pg_visible_in_snapshot(xid, %s::pg_snapshot) FROM product_change_log WHERE id = %s"
        assert sql.execute(hidden, [naive, second]).fetchone() == (True,), "the negative control did not fail"
    assert read_there(extra, cursor["next"])["ids"] == [second]
    assert parse(cursor["next"]).seen.newest == first


def read_there(extra, cursor):
    """The feed of another database."""
    done = python(
        "import json\nfrom etl.products import feed\n"
        f"page = feed.read({cursor!r}, size=10)\n"
        "print(json.dumps({'ids': [each.pk for each in page.changes], 'next': page.cursor}))",
        **extra,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
