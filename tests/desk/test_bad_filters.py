"""Lists whose address somebody wrote by hand."""

import pytest

BAD = [
    ("access/auditevent", "action=%00"),
    ("access/auditevent", "created_at__year=-1"),
    ("access/auditevent", f"created_at__year={10**30}"),
    ("django_celery_beat/periodictask", "task=%00"),
    ("etl/product", f"created_at__year={10**30}"),
    ("etl/productsyncrun", "status__exact=%00"),
    ("etl/rejectedrow", "reason__exact=%00"),
    ("etl/rejectedrow", "q=%00"),
    ("etl/rejectedrow", f"run__id__exact={10**30}"),
    ("auth/user", "password__startswith=pbkdf2"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("model", "query"), BAD)
def test_a_filter_value_that_makes_no_sense_is_no_error_of_ours(desk_of, viewer, administrator, model, query):
    desk = desk_of(administrator if model.startswith("auth") else viewer)
    answer = desk.get(f"/admin/{model}/?{query}", follow=True)
    assert answer.status_code in (200, 400)
