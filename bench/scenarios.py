"""Sources of known content, filled inside PostgreSQL; the benches and tests/faults share them."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from django.db import connection, transaction

PASSES = ("initial", "unchanged", "changed10")
REPEATED_EVERY, CHANGED_EVERY = 50, 10
TIED, LARGEST_TIE = 37, 4000

# 1.5 to 2 KB of text a row. `k` is the row whose key this row has: every 50th row repeats the key of the row
# 25 before it, so that both fall into one page and "nothing changed" has one meaning. `c` varies the content.
FILL = """
    INSERT INTO products_staging (id, style_brand_no, style_no, name, price, colors_concat, tags_json, attrs_json,
                                  description, image_url, on_sale, src_updated_at)
    SELECT g,
           (ARRAY['BRIMOAK', 'QINGZHU', 'VELTORRA', 'MUSHENG', 'OCÉLUNE', 'LANFERN', 'TUOMIR', 'YUNBEI'])[1 + k %% 8],
           'S' || lpad(k::text, 8, '0'),
           '云纹系带休闲鞋 Cloudline Lace-up Casual Shoe ' || c,
           CASE WHEN %(bad_every)s > 0 AND g %% greatest(%(bad_every)s, 1) = 7 THEN '-1'
                ELSE (59 + c %% 1900) || (ARRAY['', '.0', '.00', '.50', '.9'])[1 + c %% 5] END,
           (ARRAY['经典黑||米白', '雾蓝||墨绿||焦糖棕', 'Rose Grey', 'Sand||Ink||经典黑'])[1 + c %% 4],
           '["新品", "热卖", "轻便", "commute", "c' || c %% 97 || '"]',
           replace(replace(%(attributes)s, '@a', (c %% 1000)::text), '@b', (c %% 37)::text),
           left(%(description)s, 80 + g %% 160),
           'https://img.example.com/' || k %% 8 || '/S' || k || '.jpg',
           (ARRAY['true', 'false', '1', '0', 'Y', 'N', '是', '否'])[1 + c %% 8],
           date_trunc('day', now()) - interval '30 days' + %(passes)s * interval '7 days'
               + (CASE WHEN g BETWEEN %(tie_from)s AND %(tie_to)s THEN %(tie_from)s ELSE g END / %(tied)s)
               * interval '1 s'
      FROM (SELECT g, CASE WHEN g %% %(repeated)s = 0 THEN g - 25 ELSE g END AS k,
                   g + CASE WHEN %(changed)s AND g %% %(changed_every)s = 3 THEN 500009 ELSE 0 END AS c
              FROM generate_series(1, %(rows)s) AS g) numbered
"""
ATTRIBUTES = """
{"品类": "鞋", "材质": "头层牛皮", "适用季节": "春季||秋季", "weight_g": @a, "高度cm": 4.@b0, "waterproof": true,
 "产地": "无", "尺码": [{"eu": 38, "cn": "240", "stock": @b}, {"eu": 39, "cn": "245", "stock": 12},
 {"eu": 40, "cn": "250", "stock": @a}, {"eu": 41, "cn": "255", "stock": 3}],
 "care": {"zh": "软布擦拭，避免暴晒与高温烘烤", "steps": ["擦拭", "阴干", "上油"], "machine_wash": null},
 "说明": {"fit": "true to size", "特点": ["轻便", "防滑", "透气"], "评分": 4.50,
 "测评": {"人数": @a, "摘要": "鞋面柔软亲肤，橡胶大底防滑耐磨，适合通勤与短途出行", "source": "panel-@b"}},
 "supplier": {"code": "SUP-@a", "name": "东海鞋业有限公司", "contact": {"city": "温州", "lead_days": 14}},
 "详情": [{"部位": "鞋面", "工艺": "手工缝线", "图": "a@b.jpg"}, {"部位": "大底", "工艺": "热压成型", "图": "b@b.jpg"}],
 "洗护": {"水温": "不高于三十度", "notes": ["do not bleach", "不可熨烫"], "level": 2}, "barcode": "6901234@a5678@b"}
""".strip()
DESCRIPTION = (
    "鞋面柔软亲肤，透气排汗，橡胶大底防滑耐磨，适合通勤与短途出行。版型宽松不挑身材，面料经过防泼水处理，"
    "小雨天也能安心出门。收纳分区清晰，肩带加宽减轻负担。Padded collar and a removable insole; made for long days "
    "on hard floors. A quiet everyday piece: matte hardware, hidden pocket, easy to clean. 保养简单。"
) * 2


@dataclass(frozen=True)
class ProductSource:
    """`rows` source rows: 2 % repeat a key, 37 share each timestamp, and 2 % (at most 4,000) share one.

    `bad_every`: of so many rows one has a negative price; 0 for none.
    """

    rows: int
    bad_every: int = 0

    def stage(self, kind: str = "initial") -> None:
        """Fill the source for a pass: each pass stamps every row anew, and only changed10 changes any."""
        tie_from = self.rows // 2
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE products_staging")
            cursor.execute(
                FILL,
                {
                    "rows": self.rows,
                    "passes": PASSES.index(kind),
                    "changed": kind == "changed10",
                    "repeated": REPEATED_EVERY,
                    "changed_every": CHANGED_EVERY,
                    "bad_every": self.bad_every,
                    "tied": TIED,
                    "tie_from": tie_from,
                    "tie_to": tie_from + min(LARGEST_TIE, self.rows // 50) - 1,
                    "attributes": ATTRIBUTES,
                    "description": DESCRIPTION,
                },
            )

    @property
    def keys(self) -> int:
        """How many products the rows are, if none is bad."""
        return self.rows - self.rows // REPEATED_EVERY

    def expected(self, kind: str) -> dict[str, int]:
        """What a pass over the rows creates and updates, if none is bad and each pass is done in order."""
        changed = len(range(3, self.rows + 1, CHANGED_EVERY)) if kind == "changed10" else 0
        return {"created": self.keys if kind == "initial" else 0, "updated": changed}


ARTICLES = """
    INSERT INTO news_articles (article_id, title, source, url, published_at, summary, score, importance, region,
                               sentiment)
    SELECT 'pool-' || g, '学校发布招生新规 Enrolment rules ' || g, 'Daily ' || g %% 17,
           'https://news.example.com/' || g, date_trunc('day', now()) - g * interval '1 minute',
           repeat('摘要 summary of what happened ', 4) || g, 60 + g %% 40, g %% 100,
           CASE WHEN g %% 2 = 0 THEN 'internal' ELSE 'external' END,
           CASE WHEN g %% 4 < 2 THEN 'positive' ELSE 'negative' END
      FROM generate_series(1, %s) g
"""
REVIEWS = "INSERT INTO manual_reviews (article_id, status) SELECT article_id, 'selected' FROM news_articles"


@dataclass(frozen=True)
class ArticlePool:
    """Selected articles for writers that export at once: of each export, half at least is new to its tag.

    The other half may be: it comes from `shared` articles that all writers draw from, and from what the writer
    has exported itself. Every writer has `own` articles that nobody else touches.
    """

    writers: int
    own: int
    shared: int = 200

    def stage(self) -> None:
        """Fill articles and reviews."""
        with connection.cursor() as cursor:
            cursor.execute(ARTICLES, [self.shared + self.writers * self.own])
            cursor.execute(REVIEWS)
            cursor.execute("ANALYZE news_articles, manual_reviews")

    def portions(self, writer: int, size: int, seed: int) -> Iterator[list[str]]:
        """The article ids of one export after the other, shuffled, until the writer's own are used up."""
        draw = Random(seed)  # noqa: S311 - a scenario, no secret
        first = self.shared + writer * self.own + 1
        fresh = (size + 1) // 2
        for used in range(0, self.own - fresh + 1, fresh):
            numbers = list(range(first + used, first + used + fresh))
            earlier = [*range(1, self.shared + 1), *range(max(first, first + used - size), first + used)]
            numbers += draw.sample(earlier, size - fresh)
            draw.shuffle(numbers)
            yield [f"pool-{number}" for number in numbers]


@dataclass(frozen=True)
class Keywords:
    """`rows` distillations that nobody has used. With more than 1,000 of them every second has no topic."""

    rows: int
    topics: int = 5

    def stage(self) -> None:
        """Empty everything of distillations and fill it anew."""
        tables = "distillation_usage, distillations_generationslot, articles, generation_tasks, topics, distillations"
        facts = {"rows": self.rows, "step": 2 if self.rows > 1_000 else 1}
        facts["topics"] = self.topics if facts["step"] == 1 else 1
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
            # the counters are written with the rows here: a million updates would take minutes
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(
                "INSERT INTO distillations (keyword, provider, topic_count)"
                " SELECT 'keyword ' || n, 'manual', CASE WHEN n %% %(step)s = 1 %% %(step)s THEN %(topics)s ELSE 0 END"
                "   FROM generate_series(1, %(rows)s) n",
                facts,
            )
            cursor.execute(
                "INSERT INTO topics (distillation_id, question)"
                " SELECT d, 'question ' || n || ' of ' || d || '?'"
                "   FROM generate_series(1, %(rows)s, %(step)s) d, generate_series(1, %(topics)s) n",
                facts,
            )

    def notes(self) -> dict[str, float]:
        """How evenly they were taken, and how many counters differ from their rows (this says it, not the product)."""
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT max(taken) - min(taken), count(*) FILTER (WHERE usage_count <> uses)
                  FROM (SELECT usage_count, topic_count,
                               (SELECT count(*) FROM distillations_generationslot s WHERE s.distillation_id = d.id),
                               (SELECT count(*) FROM distillation_usage u WHERE u.distillation_id = d.id)
                          FROM distillations d) counted (usage_count, topic_count, taken, uses)
                 WHERE topic_count > 0
                """
            )
            spread, drifted = cursor.fetchone()
        return {"spread": float(spread), "driftedCounters": float(drifted)}
