"""Which MinerU server reads documents, and how it is asked, read from the environment.

Wrong settings stop the process with one line that names the variable.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from config.environment import http_address

AUTO, THREE, FOUR, HOSTED = "auto", "3", "4", "hosted"
CONTRACTS = (AUTO, THREE, FOUR, HOSTED)
TIERS = ("", "flash", "basic", "standard", "advanced")
OCR_MODES = ("auto", "txt", "ocr")

HOSTED_URL = "https://mineru.net/api/v4"
# where mineru.net takes files in (a bucket of its own) and gives results out (its CDN), as its clients know them
HOSTED_FILE_HOSTS = ("*.mineru.net", "mineru.oss-cn-shanghai.aliyuncs.com", "cdn-mineru.openxlab.org.cn")

HOST = re.compile(r"(\*\.)?([a-z0-9_-]+\.)*[a-z0-9_-]+(:[0-9]{1,5})?|\[[0-9a-f:.]+\](:[0-9]{1,5})?")


def contract_of(environment: Mapping[str, str]) -> str:
    """The contract named; else `hosted` where the address is that of mineru.net, else `auto`."""
    named = environment.get("ETL_MINERU_CONTRACT", "").strip() or AUTO
    if named not in CONTRACTS:
        raise ImproperlyConfigured(f"ETL_MINERU_CONTRACT does not know {named!r}; it may be {', '.join(CONTRACTS)}.")
    return HOSTED if named == AUTO and _is_hosted(environment.get("ETL_MINERU_URL", "").strip()) else named


def url_of(environment: Mapping[str, str], *, parser: str) -> str:
    """Where the server is, up to but not including /tasks, /v1 or /file-urls; empty when none is used."""
    address = environment.get("ETL_MINERU_URL", "").strip()
    if not address and contract_of(environment) == HOSTED:
        return HOSTED_URL
    if not address:
        if parser == "mineru":
            raise ImproperlyConfigured(f"ETL_PARSER=mineru needs ETL_MINERU_URL, such as {HOSTED_URL}.")
        return ""
    return http_address(address, var="ETL_MINERU_URL", key_var="ETL_MINERU_TOKEN", example="http://host:8000")


def token_of(environment: Mapping[str, str], *, parser: str) -> str:
    """What the server wants to be shown; mineru.net lets nobody in without."""
    token = environment.get("ETL_MINERU_TOKEN", "").strip()
    if not (token.isascii() and token.isprintable()) or " " in token:  # and is not repeated here
        raise ImproperlyConfigured("ETL_MINERU_TOKEN may hold no spaces and only ASCII characters.")
    if not token and parser == "mineru" and contract_of(environment) == HOSTED:
        raise ImproperlyConfigured("The hosted MinerU needs ETL_MINERU_TOKEN (mineru.net, API management).")
    return token


def file_hosts_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Where files of the hosted contract may be sent and fetched, beside the server itself: `host`, `host:port` or
    `*.host`. Empty: the places of mineru.net."""
    wish = environment.get("ETL_MINERU_DOWNLOAD_HOSTS", "")
    hosts = tuple(filter(None, (each.strip().lower() for each in wish.split(","))))
    for host in hosts:
        if not HOST.fullmatch(host):
            raise ImproperlyConfigured(f"ETL_MINERU_DOWNLOAD_HOSTS must list hosts with commas between, not {host!r}.")
    return hosts


def _is_hosted(address: str) -> bool:
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    return host == "mineru.net" or host.endswith(".mineru.net") or parts.path.rstrip("/").endswith("/api/v4")
