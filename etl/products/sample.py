"""Staging rows to show product sync with: invented goods in Chinese and English, with awkward rows in
known numbers. Pure and deterministic: the same count and moment give the same rows on every machine.

The rows need a staging table whose tags_json, attrs_json and price are text and whose src_updated_at may
be null: a feed's faults would not survive stricter columns.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from unicodedata import normalize

from api.codec import encode_text
from etl.products.choices import RejectReason

COUNT = 5200
TIE = 37  # rows that share a timestamp, as one statement of a feed leaves them
BIG_TIE = range(2000, 2400)  # one bulk statement: more rows than a small page holds
SPAN = timedelta(days=6)
_FIRST_AWKWARD, _AWKWARD_EVERY = 10, 31

Row = dict[str, Any]

_BRANDS = ("BRIMOAK", "QINGZHU", "VELTORRA", "MUSHENG", "OCÉLUNE", "LANFERN", "TUOMIR", "YUNBEI")
_LINES = (
    ("云纹", "Cloudline"),
    ("山岚", "Hillmist"),
    ("麦浪", "Wheatwave"),
    ("星屿", "Starisle"),
    ("竹影", "Bambooshade"),
)
_KINDS = (
    ("系带休闲鞋", "Lace-up Casual Shoe", "鞋"),
    ("软底乐福鞋", "Soft-sole Loafer", "鞋"),
    ("轻便双肩包", "Light Backpack", "包"),
    ("防风短外套", "Windproof Short Jacket", "衣"),
    ("羊毛混纺围巾", "Wool Blend Scarf", "配饰"),
    ("高帮徒步靴", "High-top Hiking Boot", "鞋"),
    ("帆布托特包", "Canvas Tote", "包"),
)
_COLORS = ("经典黑", "米白", "雾蓝", "墨绿", "焦糖棕", "Rose Grey", "Sand", "Ink")
_TAGS = ("新品", "热卖", "轻便", "commute", "gift", "2026秋", "限量", "basic", "户外")
_MATERIALS = ("头层牛皮", "再生尼龙", "帆布", "羊毛混纺", "full grain leather", "超细纤维")
_SEASONS = ("春季||秋季", "夏季", "秋季||冬季", "春季||夏季||秋季", "四季")
_NOTES = (
    "鞋面柔软亲肤，透气排汗，橡胶大底防滑耐磨，适合通勤与短途出行。",
    "版型宽松不挑身材，面料经过防泼水处理，小雨天也能安心出门。",
    "Padded collar and a removable insole; made for long days on hard floors.",
    "收纳分区清晰，可放下十四英寸电脑，肩带加宽减轻负担。",
    "A quiet everyday piece: matte hardware, hidden pocket, easy to clean.",
)
_FLAGS = ("true", "false", "1", "0", "Y", "N", "是", "否", None, "TRUE", "n", "")


def staging_rows(count: int = COUNT, *, until: datetime) -> Iterator[Row]:
    """The rows in the order of their timestamps, ids from 1; all timestamps lie before `until`."""
    cases = _cases_by_index(count)
    for index in range(count):
        row = _plain_row(index, count, until)
        case = cases.get(index)
        yield row | case.change(row, index) if case else row


def expected_rejects(count: int = COUNT) -> dict[str, int]:
    """How many of the rows normalise() rejects, by slug."""
    reasons = Counter(case.reason.value for case in _cases_by_index(count).values() if case.reason)
    return dict(sorted(reasons.items()))


def expected_products(count: int = COUNT) -> int:
    """How many products the rows become: those not rejected, less the later versions of an earlier key."""
    cases = _cases_by_index(count).values()
    return count - sum(1 for case in cases if case.reason or case.change is _later_version)


# --- One ordinary row ----------------------------------------------------------------------------


def _plain_row(index: int, count: int, until: datetime) -> Row:
    line, kind = _LINES[index % 5], _KINDS[index % 7]
    brand = _BRANDS[index % 8]
    sku = _sku(index)
    return {
        "id": index + 1,
        "style_brand_no": brand,
        "style_no": sku,
        "name": f"{line[0]}{kind[0]} {line[1]} {kind[1]}" + (" ✨🎁" if index % 97 == 0 else ""),
        "price": _price(index),
        "colors_concat": "||".join(_some(_COLORS, index, 1 + index % 4)),
        "tags_json": _tags(index),
        "attrs_json": encode_text(_attributes(index, kind[2])),
        "description": f"{_NOTES[index % 5]}{_NOTES[(index // 5) % 5]}" if index % 41 else None,
        "image_url": f"https://img.example.com/{index % 8}/{sku}.jpg" if index % 29 else "",
        "on_sale": _FLAGS[index % 12],
        "src_updated_at": _timestamp(index, count, until),
    }


def _sku(index: int) -> str:
    # several brands use one item number: only brand and number together are a key
    return f"S{100000 + index // 4}"


def _price(index: int) -> str:
    whole = 59 + index * 7 % 1900
    spellings = (f"{whole}", f"{whole}.0", f"{whole}.00", f" {whole}.50 ", f"{whole}.995", f"{whole}.9")
    return spellings[index % 6]


def _some(words: tuple[str, ...], index: int, number: int) -> list[str]:
    return [words[(index * 3 + place * 5) % len(words)] for place in range(number)]


def _tags(index: int) -> str | None:
    if index % 53 == 0:
        return None
    return encode_text(_some(_TAGS, index, index % 5)) if index % 59 else "null"


def _attributes(index: int, kind: str) -> Row:
    sizes = range(35 + index % 3, 40 + index % 4)
    return {
        "品类": kind,
        "材质": _MATERIALS[index % 6],
        "适用季节": _SEASONS[index % 5],
        "weight_g": 180 + index * 13 % 900,
        "高度cm": Decimal(f"{2 + index % 9}.{index % 10}0"),
        "waterproof": index % 4 == 0,
        "产地": "无" if index % 10 == 0 else "国内",
        "尺码": [{"eu": size, "cn": f"{size * 5 + 50}", "stock": (index + size) % 40} for size in sizes],
        "care": {
            "zh": "软布擦拭，避免暴晒与高温烘烤",
            "steps": ["擦拭", "阴干", "上油"],
            "machine_wash": None,
        },
        "说明": {"fit": "true to size", "特点": _some(_TAGS, index + 1, 3), "评分": Decimal("4.50")},
    }


def _timestamp(index: int, count: int, until: datetime) -> datetime:
    newest = _moment(count - 1)
    return until - timedelta(minutes=1) - SPAN / max(newest, 1) * (newest - _moment(index))


def _moment(index: int) -> int:
    """The number of the statement that wrote the row."""
    if index < BIG_TIE.start:
        return index // TIE
    first_after = BIG_TIE.start // TIE + 2
    return first_after - 1 if index in BIG_TIE else first_after + (index - BIG_TIE.stop) // TIE


# --- Awkward rows --------------------------------------------------------------------------------


class Case(NamedTuple):
    """A kind of awkward row: how often, what it changes of an ordinary row, and why that is rejected."""

    times: int
    change: Callable[[Row, int], Row]
    reason: RejectReason | None = None


def _cells(**cells: Any) -> Callable[[Row, int], Row]:
    return lambda row, index: cells


def _later_version(row: Row, index: int) -> Row:
    # near ones fall into the same page, far ones into another; neither lands on an awkward row
    earlier = index - (7 if index < 500 else 450)
    return {"style_brand_no": _BRANDS[earlier % 8], "style_no": _sku(earlier), "price": "1.23"}


def _odd_spaces(row: Row, index: int) -> Row:
    brand = normalize("NFD", row["style_brand_no"])
    return {
        "style_brand_no": f"\u3000{brand} ",
        "style_no": f"\t{row['style_no']}\n",
        "name": f" {row['name']}\xa0",
    }


def _json_in_a_json_string(row: Row, index: int) -> Row:
    return {"tags_json": encode_text('["热卖", "gift"]'), "attrs_json": encode_text(row["attrs_json"])}


def _decomposed_attributes(row: Row, index: int) -> Row:
    return {"attrs_json": encode_text({normalize("NFD", "Décor"): normalize("NFD", " Crème || brûlée ")})}


def _empty_markers(row: Row, index: int) -> Row:
    markers = {
        "a": "",
        "材质": "无",
        "鞋跟": "不适用",
        "里料": "空",
        "帮高": "--",
        "null": None,
        "kept": {"里料": "无"},
    }
    return {"attrs_json": encode_text(markers)}


def _huge_description(row: Row, index: int) -> Row:
    return {"description": "很长" * 200_000}  # 1.2 MB, made only when its turn comes


def _too_deep(row: Row, index: int) -> Row:
    return {"attrs_json": '{"a":' * 120 + "1" + "}" * 120}


_CASES = (
    Case(30, _later_version),
    Case(8, _odd_spaces),
    Case(4, _json_in_a_json_string),
    Case(4, _decomposed_attributes),
    Case(6, _empty_markers),
    Case(5, _cells(price="-12.00"), RejectReason.PRICE_NEGATIVE),
    Case(4, _cells(price="NaN"), RejectReason.PRICE_NOT_FINITE),
    Case(6, _cells(price="面议"), RejectReason.PRICE_NOT_A_NUMBER),
    Case(3, _cells(price="¥1,299"), RejectReason.PRICE_NOT_A_NUMBER),
    Case(4, _cells(price=None), RejectReason.PRICE_MISSING),
    Case(2, _cells(price="1e12"), RejectReason.PRICE_TOO_LARGE),
    Case(5, _cells(style_brand_no=None), RejectReason.MISSING_KEY),
    Case(3, _cells(style_no="   "), RejectReason.MISSING_KEY),
    Case(2, _cells(style_no="S" * 65), RejectReason.TOO_LONG),
    Case(5, _cells(attrs_json="材质=牛皮;颜色=黑"), RejectReason.INVALID_JSON),
    Case(2, _cells(attrs_json="[1, 2]"), RejectReason.WRONG_SHAPE),
    Case(3, _cells(tags_json='{"tag": "新品"}'), RejectReason.WRONG_SHAPE),
    Case(3, _cells(attrs_json='{"表情": "\\ud83d"}'), RejectReason.LONE_SURROGATE),
    Case(3, _cells(attrs_json='{"备注": {"zh": "断\\u0000裂"}}'), RejectReason.NUL_CHARACTER),
    Case(2, _cells(attrs_json='{"barcode": 69012345678901234567}'), RejectReason.NUMBER_OUT_OF_RANGE),
    Case(2, _cells(attrs_json='{"色": "黑", "色 ": "白"}'), RejectReason.DUPLICATE_KEY),
    Case(2, _too_deep, RejectReason.TOO_DEEP),
    Case(4, _cells(on_sale="maybe"), RejectReason.BAD_FLAG),
    Case(3, _cells(src_updated_at=None), RejectReason.MISSING_TIMESTAMP),
    Case(1, _huge_description, RejectReason.ROW_TOO_LARGE),
)


def _cases_by_index(count: int) -> dict[int, Case]:
    """Which row is awkward how: one of each kind first, so that a small sample shows them all."""
    turns = range(max(case.times for case in _CASES))
    in_turn = [case for turn in turns for case in _CASES if turn < case.times]
    places = range(_FIRST_AWKWARD, count, _AWKWARD_EVERY)
    return dict(zip(places, in_turn, strict=False))
