"""`.env.example` names every variable that the settings read, as the README says."""

import re

from django.conf import settings

READ = re.compile(r"""(?:env\.\w+|environ(?:ment)?\.get)\(\s*"([A-Z_0-9]+)"|environ(?:ment)?\["([A-Z_0-9]+)"\]""")
NAMED = re.compile(r"^#([A-Z_0-9]+)=", re.MULTILINE)


def test_every_variable_is_in_the_example():
    sources = [
        settings.BASE_DIR / "config" / f"{name}.py" for name in ("settings", "language_model", "mineru", "staging")
    ]
    read = {first or second for source in sources for first, second in READ.findall(source.read_text())}
    assert {"DATABASE_URL", "LLM_MODEL", "ETL_MINERU_URL", "ETL_MAX_PAGES"} <= read
    assert read - set(NAMED.findall((settings.BASE_DIR / ".env.example").read_text())) == set()
