"""Other databases as a source: scratch ones on real servers, rows of every kind, and a wire that can be cut."""

import contextlib
import os
import socket
import threading
from datetime import timedelta
from urllib.parse import quote, urlsplit
from uuid import uuid4
from zoneinfo import ZoneInfo

import psycopg
import pymysql
import pytest
from django.db import connection

from config import staging

MARIADB = os.environ.get("TEST_MARIADB_URL", "mysql://root@127.0.0.1:3306/")
ZONE = "Asia/Shanghai"
CELLS = (
    "style_brand_no", "style_no", "name", "price", "colors_concat", "tags_json", "attrs_json", "description",
    "image_url", "on_sale",
)  # fmt: skip


class MariaDB:
    """A scratch database on the server of TEST_MARIADB_URL."""

    engine = staging.MYSQL
    text, text_key, key = "LONGTEXT", "VARCHAR(300)", "BIGINT PRIMARY KEY AUTO_INCREMENT"

    def __init__(self):
        self.arguments = staging.mysql_arguments(MARIADB) | {"database": None, "charset": "utf8mb4", "autocommit": True}
        try:
            self.connection = pymysql.connect(**self.arguments, sql_mode="ALLOW_INVALID_DATES", connect_timeout=3)
        except pymysql.Error as error:
            pytest.skip(f"needs MariaDB at TEST_MARIADB_URL: {error}")
        self.database = f"pressroom_test_{uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {self.database} CHARACTER SET utf8mb4")
        self.execute(f"USE {self.database}")

    def execute(self, query, params=None):
        with self.connection.cursor() as cursor:
            cursor.execute(query, params)
            return cursor.fetchall()

    def drop(self):
        self.execute(f"DROP DATABASE {self.database}")
        self.connection.close()

    def url(self, port=None):
        place = urlsplit(MARIADB)
        user = place.netloc.rpartition("@")[0]
        return f"mysql://{user}@{place.hostname}:{port or place.port or 3306}/{self.database}"

    @property
    def address(self):
        place = urlsplit(MARIADB)
        return socket.create_connection, ((place.hostname, place.port or 3306),)

    def time(self, at):
        """A moment as a feed in ZONE writes it."""
        return at and at.astimezone(ZoneInfo(ZONE)).replace(tzinfo=None)

    time_type = "DATETIME(6)"

    def kill_sessions(self):
        """End every session in our scratch database but this one."""
        for session, own in self.execute(
            "SELECT id, id = connection_id() FROM information_schema.processlist WHERE db = %s", [self.database]
        ):
            if not own:
                with contextlib.suppress(pymysql.Error):
                    self.execute(f"KILL {session}")


class PostgreSQL:
    """A scratch database beside that of the test run."""

    engine = staging.POSTGRESQL
    text, text_key, key = "text", "text", "bigserial PRIMARY KEY"
    time_type = "timestamptz"

    def __init__(self):
        place = connection.settings_dict
        self.server = {
            "host": place["HOST"],
            "user": place["USER"],
            "password": place["PASSWORD"],
            "port": place["PORT"],
        }
        self.server = {name: value for name, value in self.server.items() if value}
        self.database = f"pressroom_source_{uuid4().hex[:12]}"
        with psycopg.connect(**self.server, dbname="postgres", autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {self.database} TEMPLATE template0 ENCODING 'UTF8'")
        self.connection = psycopg.connect(**self.server, dbname=self.database, autocommit=True)

    def execute(self, query, params=None):
        cursor = self.connection.execute(query, params)
        return cursor.fetchall() if cursor.description else []

    def drop(self):
        self.connection.close()
        with psycopg.connect(**self.server, dbname="postgres", autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {self.database} WITH (FORCE)")

    def url(self, port=None):
        host, own_port = self.server["host"], self.server.get("port", 5432)
        user = quote(self.server["user"])
        if "password" in self.server:
            user += f":{quote(self.server['password'])}"
        place = f"127.0.0.1:{port}" if port else f"{quote(host, safe='')}:{own_port}"
        return f"postgresql://{user}@{place}/{self.database}" + ("?sslmode=disable" if port else "")

    @property
    def address(self):
        host, port = self.server["host"], int(self.server.get("port", 5432))
        if host.startswith("/"):
            return connect_to_socket, (f"{host}/.s.PGSQL.{port}",)
        return socket.create_connection, ((host, port),)

    def time(self, at):
        return at

    def kill_sessions(self):
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )


def connect_to_socket(path):
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    return client


def create_table(server, *, table="products_staging", time_type=None, index=True, **types):
    """The staging table, loosely typed but for what `types` says."""
    columns = ", ".join(f"{cell} {types.get(cell, server.text)}" for cell in CELLS)
    server.execute(
        f"CREATE TABLE {table} (id {server.key}, {columns}, src_updated_at {time_type or server.time_type} NULL)"
    )
    if index:
        server.execute(f"CREATE INDEX cursor_of_{table} ON {table} (src_updated_at, id)")


def insert(server, rows, table="products_staging"):
    """Rows as (id, cells by name, aware time or None)."""
    for row_id, cells, at in rows:
        names = ("id", *cells, "src_updated_at")
        marks = ", ".join(["%s"] * len(names))
        values = [row_id, *cells.values(), server.time(at)]
        server.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", values)


def good(sku="1", **cells):
    """The cells of a row nothing is wrong with."""
    return {
        "style_brand_no": "BRAND", "style_no": sku, "name": "Mug", "price": "199", "colors_concat": "red||blue",
        "tags_json": '["a"]', "attrs_json": '{"size": "M"}', "on_sale": "Y",
    } | cells  # fmt: skip


def varied(noon, now):
    """Rows of every kind: ties, several versions, respelled and hostile keys, and all sorts of bad ones."""
    minute = timedelta(minutes=1)
    cells = [
        good("tie-1"), good("tie-2", name="杯子 👩‍🚀 𠮷", description="描述" * 50), good("tie-3"), good("tie-4"),
        good("cafe\u0301", name="NFD"), good(" caf\u00e9 ", name="NFC and spaces"), good("Case"), good("case"),
        good("CASE"), good("çase"), good("quote'\"`", name="O'Brien \\' \\\\ %s %% ; -- \n\t\x1a"),
        good("back\\slash", attrs_json='{"path": "C:\\\\temp", "q": "\\"", "n": 1.10, "big": 9007199254740992}'),
        good("price-scale", price="19.9"), good("price-scale", price="19.90"), good("comma", price="1,5"),
        good("nan", price="NaN"), good("minus", price="-1"), good("huge-price", price="1e20"), good("none", price=None),
        good("", name="no sku"), good(None), good("nul", attrs_json='{"a": "x\\u0000y"}'),
        good("half", tags_json='["\\ud83d"]'), good("shape", tags_json='{"a": 1}'), good("json", attrs_json="size: M"),
        good("deep", attrs_json='{"a":' * 101 + "1" + "}" * 101), good("flag", on_sale="perhaps"),
        good("long", name="长" * 256), good("fits", name="长" * 255), good("k" * 65),
        good("oversize", description="大" * 400_000), good("empty", tags_json="", attrs_json=" ", on_sale=None),
        good("colors", colors_concat=" 蓝 || red||blue||||red "),
        good("emptyish", attrs_json='{"a": "无", "b": "--", "c": null, "d": "x||y||x"}'),
    ]  # fmt: skip
    rows = [(number, each, noon + minute * (number // 4)) for number, each in enumerate(cells, 1)]
    count = len(rows)
    rows += [(count + n, good(f"micro-{n}"), noon + timedelta(microseconds=n)) for n in range(1, 4)]
    rows += [(count + 4, good("untimed"), None), (count + 5, good("future"), now + timedelta(days=1))]
    rows += [
        (count + 6, good("tie-1", name="newer"), noon + 60 * minute),
        (count + 7, good("older"), noon - 9000 * minute),
    ]
    return rows


class Wire:
    """A TCP port that leads to a server, and can be cut, frozen and mended."""

    def __init__(self, server):
        self.connect = server.address
        self.listener = None
        self.pairs = []
        self.frozen = threading.Event()
        self.port = 0
        self.mend()

    def mend(self):
        self.frozen.clear()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=[self.listener], daemon=True).start()

    def cut(self):
        """Nobody listens any more, and what was open ends."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for each in self.pairs:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self.pairs.clear()

    def freeze(self):
        """What is sent arrives nowhere, and nobody is told."""
        self.frozen.set()

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                near, _address = listener.accept()
                connect, place = self.connect
                far = connect(*place)
                self.pairs += [near, far]
                for each in (near, far):
                    if each.family != socket.AF_UNIX:
                        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=[source, target], daemon=True).start()

    def _pump(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self.frozen.is_set():
                    target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
