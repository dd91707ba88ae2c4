"""The Celery application: a doorbell, never the truth (docs/architecture.md, "Runs")."""

import os
from typing import Any

from celery import Celery
from kombu import Connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# A broker that hangs holds up whoever rings (a request among them) for this long, three times at most. A worker
# that waits for messages keeps the longer timeout of its own connection.
PUBLISH_SECONDS = 0.5


class Pressroom(Celery):
    """Celery with a shorter patience for sending than for receiving."""

    def connection_for_write(self, url: str | None = None, **kwargs: Any) -> Connection:
        options = {"socket_timeout": PUBLISH_SECONDS, **(kwargs.pop("transport_options", None) or {})}
        return super().connection_for_write(url, transport_options=options, **kwargs)


app = Pressroom("pressroom")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
