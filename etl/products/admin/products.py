"""Products and the log of their changes."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from api.codec import encode_text
from desk.admin import ReadOnlyAdmin
from desk.badges import badge, readable
from desk.diffs import field_diffs
from desk.object_actions import Context
from etl.products.admin.runs import change_type_badge, link_to_run
from etl.products.models import Product, ProductChange
from etl.products.querysets import SHORTEST_PART

CHANGES_SHOWN = 50


@admin.register(Product)
class ProductAdmin(ReadOnlyAdmin):
    list_display = ("sku", "brand_code", "name", "price", "sale", "listed", "src_updated_at", "updated_at")
    list_filter = ("on_sale", "is_deleted")
    search_fields = ("sku",)  # shows the box; get_search_results asks the queryset
    search_help_text = gettext_lazy("A brand, the beginning of a SKU, or from 3 characters on a part of a name.")
    download_fields = (
        "id", "brand_code", "sku", "name", "price", "on_sale", "colors", "tags", "attributes", "description",
        "image_url", "is_deleted", "src_updated_at", "src_id", "data_version", "created_at", "updated_at",
    )  # fmt: skip
    ordering = ("-id",)
    change_form_template = "etl/product.html"
    list_empty_text = gettext_lazy("Products arrive with the first product sync.")
    fieldsets = (
        (None, {"fields": ("brand_code", "sku", "name", "price", "sale", "listed")}),
        (
            gettext_lazy("Details"),
            {"fields": ("colors_text", "tags_text", "attributes_text", "description", "image_url")},
        ),
        (
            gettext_lazy("Origin"),
            {"fields": ("src_id", "src_updated_at", "data_version", "created_at", "updated_at")},
        ),
    )
    readonly_fields = ("sale", "listed", "colors_text", "tags_text", "attributes_text")

    def get_search_results(self, request: HttpRequest, products: Any, text: str) -> tuple[Any, bool]:
        too_short = [word for word in text.split() if len(word) < SHORTEST_PART]
        if too_short and request.method == "GET":
            note = _("“%(word)s” is short: only brands and beginnings of SKUs were searched for it.")
            messages.info(request, note % {"word": too_short[0]})
        return products.search(text), False

    def page_context(self, product: Product) -> Context:
        log = reverse("admin:etl_productchange_changelist")
        return {"changes": changes_of(product), "changes_url": f"{log}?product__id__exact={product.pk}"}

    @admin.display(description=gettext_lazy("on sale"))
    def sale(self, product: Product) -> SafeString:
        return badge(_("on sale"), "ok") if product.on_sale else badge(_("not on sale"), "muted")

    @admin.display(description=gettext_lazy("at source"))
    def listed(self, product: Product) -> str:
        return badge(_("deleted"), "danger") if product.is_deleted else _("listed")

    @admin.display(description=gettext_lazy("colours"))
    def colors_text(self, product: Product) -> SafeString | None:
        return chips(product.colors)

    @admin.display(description=gettext_lazy("tags"))
    def tags_text(self, product: Product) -> SafeString | None:
        return chips(product.tags)

    @admin.display(description=gettext_lazy("attributes"))
    def attributes_text(self, product: Product) -> SafeString | None:
        rows = (
            (key, value if isinstance(value, str) else encode_text(value))
            for key, value in sorted((product.attributes or {}).items())
        )
        table = format_html_join("", "<div><dt>{}</dt><dd>{}</dd></div>", rows)
        return format_html('<dl class="facts">{}</dl>', table) if product.attributes else None


def chips(values: list[Any] | None) -> SafeString | None:
    """A list as small marks; None for an empty one, which the admin writes as a dash."""
    if not values:
        return None
    return format_html_join(" ", '<span class="chip">{}</span>', ((readable(value),) for value in values))


def changes_of(product: Product) -> list[dict[str, Any]]:
    """The newest changes with what the page shows of them."""
    return [
        {
            "change": change,
            "mark": change_type_badge(change.change_type),
            "url": reverse("admin:etl_productchange_change", args=[change.pk]),
            "run": link_to_run(change.run_id),
            "diffs": field_diffs(change.changed_fields or {}),
        }
        for change in ProductChange.objects.of(product.pk)[:CHANGES_SHOWN]
    ]


@admin.register(ProductChange)
class ProductChangeAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "kind", "brand_code", "sku", "fields_changed", "by_run")
    list_display_links = ("created_at", "sku")
    list_filter = ("change_type", "created_at")
    search_fields = ("sku",)  # shows the box; get_search_results asks the queryset
    search_help_text = gettext_lazy("Brand or SKU, exactly.")
    download_fields = (
        "id", "created_at", "change_type", "brand_code", "sku", "product_id", "run_id", "old_version", "new_version",
        "changed_fields",
    )  # fmt: skip
    change_form_template = "etl/product_change.html"
    fieldsets = ((None, {"fields": ("kind", "created_at", "to_product", "by_run", "old_version", "new_version")}),)
    readonly_fields = ("kind", "to_product", "by_run")
    list_empty_text = gettext_lazy("Every real change of a product leaves one row here.")

    def get_search_results(self, request: HttpRequest, changes: Any, text: str) -> tuple[Any, bool]:
        return changes.search(text), False

    def page_context(self, change: ProductChange) -> Context:
        return {"diffs": field_diffs(change.changed_fields or {})}

    @admin.display(description=gettext_lazy("type"))
    def kind(self, change: ProductChange) -> SafeString:
        return change_type_badge(change.change_type)

    @admin.display(description=gettext_lazy("changed fields"))
    def fields_changed(self, change: ProductChange) -> SafeString | None:
        return chips(list(change.changed_fields or {}))

    @admin.display(description=gettext_lazy("product"))
    def to_product(self, change: ProductChange) -> SafeString:
        url = reverse("admin:etl_product_change", args=[change.product_id])
        return format_html('<a href="{}">{} {}</a>', url, change.brand_code, change.sku)

    @admin.display(description=gettext_lazy("run"))
    def by_run(self, change: ProductChange) -> SafeString | None:
        return link_to_run(change.run_id)
