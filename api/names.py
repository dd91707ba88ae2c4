"""Python writes snake_case, JSON says camelCase; only declared names are ever translated."""

import re

_HUMP = re.compile(r"_+([a-z0-9])")


def camel(name: str) -> str:
    """`usage_count` → `usageCount`; `created_at__gte` → `createdAtGte`; a leading underscore stays."""
    return name[:1] + _HUMP.sub(lambda match: match.group(1).upper(), name[1:])
