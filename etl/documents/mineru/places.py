"""Where files may be sent to and fetched from when a server names the address.

Such an address is a stranger's word: it must not lead into our own network, nor our documents to just anybody.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from django.conf import settings
from django.utils.translation import gettext as _

from config.mineru import HOSTED_FILE_HOSTS
from etl.documents.mineru.troubles import ServerAway, failed

PORTS = {"http": 80, "https": 443}


def approved(url: str) -> str:
    """The address, when files may go there. Raises Unreadable.

    The server itself and hosts the operator listed may be anywhere; a host that only fits a pattern or our own list
    must be public, and is spoken to over TLS.
    """
    parts = _parts(url)
    place = f"{_bracketed(parts)}:{parts.port or PORTS[parts.scheme]}"
    if place == _own_place() or place in _with_ports(settings.ETL_MINERU_DOWNLOAD_HOSTS, parts.scheme):
        return url
    patterns = _with_ports(settings.ETL_MINERU_DOWNLOAD_HOSTS or HOSTED_FILE_HOSTS, "https")
    if parts.scheme != "https" or not any(_fits(place, pattern) for pattern in patterns):
        raise _not_allowed(parts)
    if not _is_proxied(parts) and not _is_public(parts):
        raise _not_allowed(parts)
    return url


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in PORTS and parts.hostname and "@" not in parts.netloc and "\\" not in url
        parts.port  # noqa: B018 - raises for what is no port
    except ValueError:
        usable = None
    if not usable:
        raise failed(_("The MinerU server names an address that cannot be used."))
    return parts


def _own_place() -> str:
    own = urlsplit(settings.ETL_MINERU_URL)
    return f"{_bracketed(own)}:{own.port or PORTS[own.scheme]}"


def _bracketed(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    return f"[{host}]" if ":" in host else host


def _with_ports(hosts: tuple[str, ...], scheme: str) -> list[str]:
    return [host if host.rpartition(":")[2].isdigit() else f"{host}:{PORTS[scheme]}" for host in hosts]


def _fits(place: str, pattern: str) -> bool:
    return place == pattern or (pattern.startswith("*.") and place.endswith(pattern[1:]))


def _is_proxied(parts: SplitResult) -> bool:
    """Whether a proxy looks the name up for us; then it is also the one that keeps us out of our network."""
    return parts.scheme in getproxies() and not proxy_bypass(parts.hostname or "")


def _is_public(parts: SplitResult) -> bool:
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or PORTS[parts.scheme], type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        text = _("The host %(host)s, which MinerU names, cannot be found.") % {"host": parts.hostname}
        raise ServerAway(text) from error
    addresses = [ipaddress.ip_address(str(place[0]).partition("%")[0]) for *_others, place in found]
    return all(address.is_global and not address.is_multicast for address in addresses)


def _not_allowed(parts: SplitResult) -> Exception:
    text = _("The MinerU server names the host %(host)s, which ETL_MINERU_DOWNLOAD_HOSTS does not allow.")
    return failed(text % {"host": parts.hostname})
