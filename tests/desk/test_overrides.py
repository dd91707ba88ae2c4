"""Templates we copied from packages still say what the originals say."""

from pathlib import Path

import django_celery_beat
from django.conf import settings

NAME = "admin/djcelery/change_periodictask_form.html"


def test_the_periodic_task_form_differs_from_the_packaged_one_by_its_nonce_only() -> None:
    ours = (Path(settings.BASE_DIR) / "templates" / NAME).read_text()
    theirs = (Path(django_celery_beat.__file__).parent / "templates" / NAME).read_text()
    assert ours.replace(' nonce="{{ request.csp_nonce }}"', "") == theirs
    assert ours.count("<script") == ours.count("nonce=")
