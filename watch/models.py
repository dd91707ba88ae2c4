"""What has been counted over the life of the installation."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Counter(models.Model):
    """A number that only grows, added to by every process (watch.counters) and read by /metrics."""

    name = models.TextField(_("name"))
    labels = models.JSONField(_("labels"), default=dict)
    value = models.FloatField(_("value"), default=0)
    changed_at = models.DateTimeField(_("changed at"), null=True)  # null: before anybody asked

    class Meta:
        verbose_name = _("counter")
        verbose_name_plural = _("counters")
        default_permissions = ()
        permissions = [("view_metrics", _("Can read the metrics"))]
        constraints = [models.UniqueConstraint(fields=["name", "labels"], name="watch_counter_is_one_row")]

    def __str__(self) -> str:
        return f"{self.name} {self.labels}"
