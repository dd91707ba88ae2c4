from django.apps import AppConfig
from django.db.models.signals import pre_migrate
from django.utils.translation import gettext_lazy as _


class WatchConfig(AppConfig):
    name = "watch"
    verbose_name = _("Watch")
    doctor = ["watch.servers.examine", "watch.schema.examine"]

    def ready(self) -> None:
        from celery.signals import worker_process_shutdown

        from watch import counters
        from watch.patience import be_patient_with_concurrent_indexes

        pre_migrate.connect(be_patient_with_concurrent_indexes, dispatch_uid="watch.patience")
        counters.flush_at_exit()
        # a pool child leaves without the interpreter's own farewell
        worker_process_shutdown.connect(counters.flush_quietly, dispatch_uid="watch.flush")
