"""How an answer becomes bytes."""

from typing import Any

from rest_framework.renderers import BaseRenderer

from api.codec import encode


class JSONRenderer(BaseRenderer):
    """UTF-8 JSON by the one codec: decimals as numbers, no key renamed."""

    media_type = "application/json"
    format = "json"
    charset = None  # JSON is UTF-8 by definition

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else encode(data)
