"""What an article is written for and from."""

from typing import ClassVar

from django.core.validators import MinLengthValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from distillations.querysets import KnowledgeBaseQuerySet
from runs.querysets import ClockTimestamp


class ConversionTarget(models.Model):
    """The company an article should lead to."""

    company_name = models.CharField(_("company"), max_length=255, unique=True, validators=[MinLengthValidator(2)])
    industry = models.CharField(_("industry"), max_length=100, blank=True, default="", db_default="")
    website = models.CharField(_("website"), max_length=500, blank=True, default="", db_default="")
    address = models.CharField(_("address"), max_length=500, blank=True, default="", db_default="")
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(_("changed at"), db_default=ClockTimestamp(), editable=False)

    class Meta:
        db_table = "conversion_targets"
        verbose_name = _("conversion target")
        verbose_name_plural = _("conversion targets")
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return self.company_name


class ArticleSetting(models.Model):
    """A named prompt, with {placeholders} for what an article is about."""

    name = models.CharField(_("name"), max_length=255, unique=True)
    prompt = models.TextField(
        _("prompt"),
        help_text=_(
            "Placeholders: {keyword} {topics} {topicsList} {companyName} {companyIndustry} {companyWebsite} "
            "{companyAddress} {knowledgeBase}. Without any, these facts are appended."
        ),
    )
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(_("changed at"), db_default=ClockTimestamp(), editable=False)

    class Meta:
        db_table = "article_settings"
        verbose_name = _("article setting")
        verbose_name_plural = _("article settings")
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return self.name


class KnowledgeBase(models.Model):
    """A shelf of documents that articles may draw on."""

    name = models.CharField(_("name"), max_length=255, unique=True)
    description = models.TextField(_("description"), blank=True, default="", db_default="")
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(_("changed at"), db_default=ClockTimestamp(), editable=False)

    objects = KnowledgeBaseQuerySet.as_manager()

    class Meta:
        db_table = "knowledge_bases"
        verbose_name = _("knowledge base")
        verbose_name_plural = _("knowledge bases")
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return self.name


class KnowledgeDocument(models.Model):
    """One text of a knowledge base."""

    knowledge_base = models.ForeignKey(
        KnowledgeBase, on_delete=models.CASCADE, related_name="documents", verbose_name=_("knowledge base")
    )
    title = models.CharField(_("title"), max_length=500)
    content = models.TextField(_("text"))
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(_("changed at"), db_default=ClockTimestamp(), editable=False)

    class Meta:
        db_table = "knowledge_documents"
        verbose_name = _("knowledge document")
        verbose_name_plural = _("knowledge documents")
        ordering: ClassVar = ["knowledge_base_id", "id"]

    def __str__(self) -> str:
        return self.title
