"""A worker killed with -9 while its document is read elsewhere: the next one goes on with the same task there."""

import signal
import subprocess
import sys
import time

import pytest

from mineru_servers import MARKDOWN
from processes import ROOT, environment

WORKER = """
import sys
from pathlib import Path

import django

django.setup()
from etl.documents.mineru.parser import MineruParser
from etl.documents.parsed import Remote

document, ids = map(Path, sys.argv[1:])
remote = Remote(known=ids.read_text() if ids.exists() else "", keep=ids.write_text)
print(MineruParser().parse(document, filename="a.pdf", report=lambda pages, total: None, remote=remote).markdown)
"""


@pytest.mark.long
@pytest.mark.parametrize("generation", ["3", "4", "hosted"])
def test_the_next_worker_hands_nothing_in_again(mineru, task, tmp_path, settings, generation):
    server = mineru(generation)
    server.course = [server.waits] * 40 + [server.done]
    more = environment(
        DJANGO_SETTINGS_MODULE="config.settings",
        ETL_PARSER="mineru",
        ETL_MINERU_URL=server.url,
        ETL_MINERU_TOKEN=settings.ETL_MINERU_TOKEN,
        ETL_MINERU_POLL_SECONDS="0.05",
    )
    command = [sys.executable, "-c", WORKER, str(task(server).path), str(tmp_path / "ids")]
    first = subprocess.Popen(command, cwd=ROOT, env=more, stdout=subprocess.PIPE)
    until = time.monotonic() + 30
    while not any(event[0] == "look" for event in server.events) and time.monotonic() < until:
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert first.returncode == -signal.SIGKILL
    second = subprocess.run(command, cwd=ROOT, env=more, capture_output=True, text=True, timeout=60, check=True)
    assert second.stdout.strip() == MARKDOWN.strip()
    assert len(server.submissions) == 1
