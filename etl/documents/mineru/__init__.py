"""Documents read by a MinerU server: over HTTP only, since its licence asks more of who ships it."""

from django.utils.translation import gettext_lazy as _

NAME = "mineru"
CREDIT = _("Parsed by MinerU")  # its licence wants this said wherever its results are shown


def credit_of(parser: str) -> str:
    """What a screen has to say beside a text that `parser` (Parsed.parser) read; empty for all others."""
    return str(CREDIT) if parser.startswith(NAME) else ""
