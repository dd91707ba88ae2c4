"""The two papers, a plain Markdown brief and the worker's brief. An operator may change or delete any of them."""

from django.db import migrations

INTERNAL, EXTERNAL, POSITIVE, NEGATIVE = "internal", "external", "positive", "negative"

# (region, sentiment) → the code stored with each item, the same in every template
CODES = {
    (INTERNAL, POSITIVE): "jingnei_positive",
    (INTERNAL, NEGATIVE): "jingnei_negative",
    (EXTERNAL, POSITIVE): "jingwai_positive",
    (EXTERNAL, NEGATIVE): "jingwai_negative",
}

PAPER = {"section_heading": "【{heading}】", "entry": "{mark}{title}\n{summary}（{source}）", "is_numbered": True}

# template → its sections in printed order: (region, sentiment, heading, marker, numbering)
SHIPPED = [
    (
        {
            "slug": "zongbao",
            "title": "综报",
            "header": "首都教育每日舆情综报\n{year}年第{period}期（总第{total_period}期）\n{year}年{month}月{day}日",
            "issues_per_day": 1,
            **PAPER,
        },
        [
            (INTERNAL, NEGATIVE, "重点关注舆情", "★", "none"),
            (INTERNAL, POSITIVE, "新闻信息纵览", "■", "none"),
            (EXTERNAL, NEGATIVE, "国内教育热点", "▲", "none"),
        ],
    ),
    (
        {
            "slug": "wanbao",
            "title": "晚报",
            "header": "首都教育舆情\n总第{total_period}期\n{year}年{month}月{day}日",
            "issues_per_day": 2,
            **PAPER,
        },
        [
            (INTERNAL, POSITIVE, "舆情速览", "", "chinese"),
            (EXTERNAL, POSITIVE, "舆情参考", "", "chinese"),
        ],
    ),
    (
        {
            "slug": "markdown",
            "title": "Markdown",
            "header": "# Brief {tag}\n\n{date}, {count} articles",
            "section_heading": "## {heading} ({count})",
            "entry": "### {mark}{title}\n\n{summary} ({source})\n\n<{url}>",
            "is_markdown": True,
        },
        [
            (INTERNAL, POSITIVE, "Internal, positive", "", "arabic"),
            (INTERNAL, NEGATIVE, "Internal, negative", "", "arabic"),
            (EXTERNAL, POSITIVE, "External, positive", "", "arabic"),
            (EXTERNAL, NEGATIVE, "External, negative", "", "arabic"),
        ],
    ),
    (
        {
            "slug": "brief",
            "title": "自动简报",
            "header": "",
            "section_heading": "【{heading}】共 {count} 条",
            "entry": "{title}\n{summary}（{source}）（external_importance={importance}）",
            "cluster_separator": "---",
        },
        [
            (INTERNAL, POSITIVE, "京内正面", "", "none"),
            (INTERNAL, NEGATIVE, "京内负面", "", "none"),
            (EXTERNAL, POSITIVE, "京外正面", "", "none"),
            (EXTERNAL, NEGATIVE, "京外负面", "", "none"),
        ],
    ),
]


def ship_templates(apps, schema_editor=None):
    """Add the shipped templates that do not exist; never touch one that does."""
    template_model = apps.get_model("exports", "BriefTemplate")
    section_model = apps.get_model("exports", "TemplateSection")
    for values, sections in SHIPPED:
        template, is_new = template_model.objects.get_or_create(slug=values["slug"], defaults=values)
        if not is_new:
            continue
        section_model.objects.bulk_create(
            section_model(
                template=template,
                position=position,
                section=CODES[region, sentiment],
                region=region,
                sentiment=sentiment,
                heading=heading,
                marker=marker,
                numbering=numbering,
            )
            for position, (region, sentiment, heading, marker, numbering) in enumerate(sections, start=1)
        )


def take_back(apps, schema_editor):
    """Remove what was shipped, changed or not; an operator's own templates stay."""
    slugs = [values["slug"] for values, _sections in SHIPPED]
    template_model = apps.get_model("exports", "BriefTemplate")
    apps.get_model("exports", "TemplateSection").objects.filter(template__slug__in=slugs).delete()
    template_model.objects.filter(slug__in=slugs).delete()


class Migration(migrations.Migration):

    dependencies = [
        ('exports', '0001_articles_and_briefs'),
    ]

    operations = [
        migrations.RunPython(ship_templates, take_back),
    ]
