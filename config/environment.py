"""How a setting is read from the environment: a value that cannot be meant is refused with its variable's name."""

import os
import re
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured


class Environment(environ.Env):
    """Names the variable whose value cannot be read, so that manage.py can say so in one line."""

    def get_value(self, var: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().get_value(var, *args, **kwargs)
        except ValueError as error:
            raise ImproperlyConfigured(f"{var} cannot be read: {os.environ.get(var)!r}") from error

    def one_of(self, var: str, *, default: str, known: Collection[str]) -> str:
        value: str = self.str(var, default=default)
        if value not in known:
            raise ImproperlyConfigured(f"{var} does not know {value!r}.")
        return value

    def seconds(self, var: str, *, default: float) -> float:
        value: float = self.float(var, default=default)
        if not 0 < value < 86_400:
            raise ImproperlyConfigured(f"{var} must lie between 0 and 86400 seconds, not {value:g}.")
        return value

    def rate(self, var: str, *, default: str) -> str | None:
        """`60/min`, `3/h`, or `off`, which is None."""
        value: str = self.str(var, default=default)
        if value == "off":
            return None
        if not re.fullmatch(r"[1-9][0-9]{0,8}/(s|sec|second|m|min|minute|h|hour|d|day)", value):
            raise ImproperlyConfigured(f"{var} must look like 60/min or be off, not {value!r}.")
        return value


def http_address(address: str, *, var: str, key_var: str, example: str) -> str:
    """The address of a server over HTTP, without a slash at its end. Raises ImproperlyConfigured, naming `var`."""
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
        parts.port  # noqa: B018 - raises for what is no port
        has_password = "@" in parts.netloc
    except ValueError:
        usable, has_password = None, False
    if has_password:  # it would stand in logs; and is not repeated here
        raise ImproperlyConfigured(f"{var} must not hold a user or password; give the key as {key_var}.")
    if not usable:
        raise ImproperlyConfigured(f"{var} must look like {example}, not {address!r}.")
    return address.rstrip("/")
