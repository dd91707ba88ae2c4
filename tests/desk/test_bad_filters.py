"""Lists whose address somebody wrote by hand."""

import pytest

BAD = [
    ("access/auditevent", "action=%00"),
    ("access/auditevent", "created_at__year=-1"),
    ("access/auditevent", f"created_at__year={10**30}"),
    ("django_celery_beat/periodictask", "task=%00"),
    ("etl/etltask", "status=%00"),
    ("etl/etltask", "status=burnt"),
    ("etl/etltask", "failed_at=%00"),
    ("etl/etltask", "project=%00"),
    ("etl/etltask", f"project={10**30}"),
    ("etl/etltask", "owner=nobody"),
    ("etl/etltask", "mounted=perhaps"),
    ("etl/etltask", "q=%00"),
    ("etl/etltask", "id__in=1,x"),
    ("etl/etltask", f"created_at__year={10**30}"),
    ("etl/etltask", "project__owner__password__startswith=pbkdf2"),
    ("etl/etlrule", "mode__exact=%00"),
    ("etl/tablemount", "state=perhaps"),
    ("etl/tablemount", "q=%00"),
    ("etl/table", "q=%00"),
    ("etl/project", "q=%00"),
    ("etl/product", f"created_at__year={10**30}"),
    ("etl/productsyncrun", "status__exact=%00"),
    ("etl/rejectedrow", "reason__exact=%00"),
    ("etl/rejectedrow", "q=%00"),
    ("etl/rejectedrow", f"run__id__exact={10**30}"),
    ("distillations/distillation", "provider__exact=%00"),
    ("distillations/distillation", "used=%00&topics=x&recommended=%00&drifted=x"),
    ("distillations/distillation", "q=%00"),
    ("distillations/distillation", "q=" + "9" * 5000),
    ("distillations/distillation", f"created_at__year={10**30}"),
    ("distillations/distillation", f"p={10**30}"),
    ("distillations/distillationrun", "status__exact=%00"),
    ("distillations/distillationrun", "older=x"),
    ("roadmaps/roadmaptask", "status__exact=%00"),
    ("roadmaps/roadmaptask", "current_step__exact=%00"),
    ("roadmaps/roadmaptask", "q=%00"),
    ("roadmaps/roadmaptask", "retried=%00"),
    ("roadmaps/roadmaptask", f"owner={10**30}"),
    ("roadmaps/roadmaptask", "owner=%00"),
    ("roadmaps/roadmaptask", f"created_at__year={10**30}"),
    ("roadmaps/roadmap", "q=%00"),
    ("roadmaps/roadmap", f"owner={10**30}"),
    ("roadmaps/roadmap", f"created_at__year={10**30}"),
    ("auth/user", "password__startswith=pbkdf2"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("model", "query"), BAD)
def test_a_filter_value_that_makes_no_sense_is_no_error_of_ours(desk_of, viewer, administrator, model, query):
    desk = desk_of(administrator if model.startswith(("auth", "roadmaps")) else viewer)  # who has most filters
    answer = desk.get(f"/admin/{model}/?{query}", follow=True)
    assert answer.status_code in (200, 400)
