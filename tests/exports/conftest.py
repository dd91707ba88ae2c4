"""Articles in review as every test of briefs wants them, and the templates that migrations ship."""

import pytest

from cleaning import ship_templates
from exports.models import BriefTemplate


@pytest.fixture(autouse=True)
def _own_exports_dir(settings, tmp_path):
    """Files of briefs go where nobody else's do."""
    settings.EXPORTS_DIR = tmp_path / "exports"


@pytest.fixture
def shipped_templates(db):
    """The shipped templates by name, back again where a test has flushed the database."""
    ship_templates()
    return {template.slug: template for template in BriefTemplate.objects.prefetch_related("sections")}
