"""manage.py doctor on an installation of its own, first sound, then broken in many ways at once."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
import redis

from clusters import put_migrated_cluster
from processes import manage_here
from tests.config.processes import BASE_DIR, User, bare_environment, wait_until

QUEUES = "control,default,etl,llm"


class Installation:
    """A private pair of servers with everything that runs on it."""

    def __init__(self):
        self.var = Path(tempfile.mkdtemp(prefix="prd-", dir="/tmp")) / "var"
        put_migrated_cluster(self.var / "postgres")
        self.holder = User(self.var, durable=True)  # the servers stay while workers stop
        named = self.holder.environment()
        self.database, self.redis_url = named["DATABASE_URL"], named["REDIS_URL"]
        self.environment = bare_environment(
            PRESSROOM_VAR=str(self.var), REAPER_SECONDS="1", RUN_LEASE_SECONDS="3", LOG_LEVEL="ERROR",
            METRICS_FLUSH_SECONDS="1",
        )  # fmt: skip
        celery = ("-m", "celery", "-q", "-A", "config.celery")
        self.worker = self.start(
            *celery, "worker", "-Q", QUEUES, "-c", "1", "-n", "all@%h", "--without-mingle", "--without-gossip"
        )
        self.beat = self.start(*celery, "beat", "--pidfile=", "-s", str(self.var / "beat"))

    def start(self, *arguments):
        return subprocess.Popen(
            [sys.executable, *arguments], cwd=BASE_DIR, env=self.environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def manage(self, *arguments, **changes):
        return subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=BASE_DIR, env=self.environment | changes,
            capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip

    def doctor(self, **changes):
        """(exit code, problems as {check: [(text, mend)]}) of one round."""
        done = self.manage("doctor", "--json", **changes)
        assert "Traceback" not in done.stderr, done.stderr
        report = json.loads(done.stdout)
        assert report["ok"] is (done.returncode == 0)
        found = {}
        for each in report["checks"]:
            if not each["ok"]:
                found.setdefault(each["check"], []).append((each["text"], each["mend"]))
        return done.returncode, found

    def execute(self, *statements):
        with psycopg.connect(self.database, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def redis(self):
        return redis.Redis.from_url(self.redis_url)

    def forget_signs_of_life(self):
        """What would fade by itself within half a minute."""
        client = self.redis()
        for key in [*client.scan_iter("*worker:*"), *client.scan_iter("*beat:*")]:
            client.delete(key)

    def end(self, process):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def close(self):
        for process in (self.worker, self.beat):
            self.end(process)
        self.holder.end()
        wait_until(lambda: not self.var.exists())  # its keeper deletes it
        self.var.parent.rmdir()


@pytest.fixture(scope="module")
def installation():
    made = Installation()
    yield made
    made.close()


@pytest.mark.timeout(300)
@pytest.mark.long
def test_a_sound_installation_and_then_a_broken_one(installation):
    # one story, because starting all this takes longer than any part of it
    wait_until(lambda: installation.doctor()[0] == 0, 90)
    began = time.monotonic()
    text = installation.manage("doctor")
    assert time.monotonic() - began < 60  # a hang, not slowness
    assert (text.returncode, text.stderr) == (0, "")
    lines = [line for line in text.stdout.splitlines() if line.startswith("✓")]
    columns = {len(re.match(r"✓ \S+\s+", line).group()) for line in lines}
    assert len(lines) > 8
    assert len(columns) == 1
    assert "Everything is fine." in text.stdout
    assert "一切正常" in installation.manage("doctor", LANGUAGE_CODE="zh-hans").stdout

    installation.end(installation.worker)
    installation.end(installation.beat)
    installation.forget_signs_of_life()
    installation.redis().config_set("maxmemory-policy", "allkeys-lru")
    installation.execute(
        "DELETE FROM django_migrations WHERE app = 'sessions'",
        "DROP INDEX audit_event_by_time",
        "ALTER TABLE products DROP CONSTRAINT product_price_is_a_finite_amount",
        "DROP TRIGGER pgtrigger_change_log_is_append_only_20d39 ON product_change_log",
        "ALTER ROLE postgres SET default_transaction_isolation = 'serializable'",
        "UPDATE django_celery_beat_periodictask SET last_run_at = now() - interval '1 hour', date_changed ="
        " now() - interval '2 days'",
        "INSERT INTO products (brand_code, sku, name, price, on_sale, colors, tags, attributes, data_version)"
        " VALUES ('B', 'S', 'n', 1, true, '[]', '[]', '{}', 'v1:changed past the log')",
        "INSERT INTO product_change_log (product_id, brand_code, sku, change_type, new_version, changed_fields)"
        " SELECT id, 'B', 'S', 'CREATE', 'v1:as logged', '{}' FROM products",
        "INSERT INTO etl_productsyncrun (source, status, progress, attempt, max_attempts, batch_size, resume, dry_run,"
        " lookback, phase, read, created, updated, unchanged, superseded, rejected, deleted, waiting, batches, seconds,"
        " differences, error, error_text, lease_token, lease_until) VALUES ('s', 'running', 0, 1, 5, 1, true, false,"
        " '0', 'rejects', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '[]', '', '', 1, now() - interval '1 hour')",
    )
    code, found = installation.doctor(DB_SESSION_OPTIONS="0")
    assert code == 1
    said = {check: {mend for _text, mend in problems} for check, problems in found.items()}
    assert said["migrations"] == {"manage.py migrate"}
    assert any("-Q etl" in mend for mend in said["workers"])
    assert len(said["workers"]) == 4
    assert any("celery" in mend and " beat " in mend for mend in said["beat"])
    assert said["redis"] == {"redis-cli CONFIG SET maxmemory-policy noeviction"}
    assert said["drift"] == {"manage.py etl_products --no-resume"}
    assert said["lag"] == {"manage.py etl_products"}
    assert "manage.py doctor --mend" in said["schema"]
    assert "manage.py pgtrigger install" in said["schema"]
    assert 'ALTER ROLE "postgres" SET idle_in_transaction_session_timeout = 3000' in said["database"]
    assert "ALTER ROLE \"postgres\" SET default_transaction_isolation = 'read committed'" in said["database"]
    assert any("-Q control" in mend for mend in said["runs"])
    texts = " ".join(text for problems in found.values() for text, _mend in problems)
    for name in ("sessions.0001_initial", "audit_event_by_time", "product_price_is_a_finite_amount", "append_only"):
        assert name in texts

    # every command it named mends what it was named for
    installation.execute(*[mend for mend in said["database"] if mend.startswith("ALTER ROLE")])
    installation.redis().config_set("maxmemory-policy", "noeviction")
    assert installation.manage("migrate", "--fake", "sessions").returncode == 0
    assert installation.manage("pgtrigger", "install").returncode == 0
    installation.manage("doctor", "--mend")
    code, found = installation.doctor(DB_SESSION_OPTIONS="0")
    assert set(found) == {"workers", "beat", "drift", "lag", "runs"}


@pytest.mark.timeout(300)
@pytest.mark.long
def test_servers_that_are_down_cost_a_line_each_and_no_traceback(installation):
    dead = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
    rest = {"DEBUG": "0", "SECRET_KEY": "x" * 60, "ALLOWED_HOSTS": "ops.example.org"}
    code, found = installation.doctor(**dead, **rest)
    assert code == 1
    assert "PostgreSQL does not answer" in found["database"][0][0]
    assert "Redis does not answer" in found["redis"][0][0]
    assert "DATABASE_URL" in found["database"][0][1]
    assert set(found) <= {"database", "redis", "settings"}
    text = installation.manage("doctor", **dead, **rest)
    assert (text.returncode, text.stderr) == (1, "")
    assert len(text.stdout.splitlines()) < 20

    only_redis = {"REDIS_URL": dead["REDIS_URL"], "DATABASE_URL": installation.database}
    code, found = installation.doctor(**only_redis, **rest)
    assert "Redis does not answer" in found["redis"][0][0]
    assert "PostgreSQL" not in str(found)


def test_debug_on_a_real_server_is_a_problem(transactional_db, settings):
    settings.DEBUG = True
    done = manage_here("doctor", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    found = [each for each in json.loads(done.stdout)["checks"] if not each["ok"]]
    assert ("settings", "DEBUG=0") in [(each["check"], each["mend"]) for each in found]
    settings.DEBUG = False
    assert "DEBUG=0" not in manage_here("doctor", "--json").stdout
