"""Five documents of a company that does not exist, of the kinds that people upload."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime

from etl.documents.samples import portable

MADE = datetime(2026, 3, 2, 9, 0)  # noqa: DTZ001 - office files have no time zones

PRICES = [
    ["编号", "品名", "规格", "单价", "库存", "备注"],
    ["LX-20", "智能台灯", "白色，12W", "199.00", "320", "热销"],
    ["LX-35", "落地灯", "胡桃木，24W", "459.00", "86", ""],
    ["BK-01", "儿童书桌", "可升降，1.2 米", "1280.00", "41", "预售，4 月发货"],
    ["CH-07", "护脊学习椅", "蓝 / 灰", "899.50", "133", ""],
    ["AC-11", "LED 灯泡", "E27，9W，两只装", "29.90", "2400", "满 10 件包邮"],
]
STOCK = [
    ("LX-20", "Smart desk lamp · 智能台灯", 12.5, 199, date(2026, 2, 14), 0.32),
    ("LX-35", "Floor lamp · 落地灯", 41, 459, date(2026, 2, 20), 0.285),
    ("BK-01", "Height-adjustable desk · 儿童书桌", 28.75, 1280, date(2026, 3, 1), 0.41),
    ("CH-07", "Study chair · 护脊学习椅", 15, 899.5, date(2026, 1, 30), 0.365),
]


def sample_files() -> list[tuple[str, bytes]]:
    """Names and contents."""
    return [
        ("价格表-2026春.csv", price_list()),
        ("product-sheet.xlsx", product_sheet()),
        ("brochure.docx", brochure()),
        ("desk-lamp.html", web_page()),
        ("quarterly-report.pdf", report()),
    ]


def price_list() -> bytes:
    """A price list as Excel saves it on a Chinese Windows: GBK, commas, CRLF."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows(PRICES)
    return out.getvalue().encode("gbk")


def product_sheet() -> bytes:
    """A workbook with a title, a head of two rows, dates, percentages, and a sum that no program has calculated."""
    from openpyxl import Workbook

    book = Workbook()
    book.properties.created = book.properties.modified = MADE
    sheet = book.active
    assert sheet is not None
    sheet.title = "Products 产品"
    sheet.append(["Product sheet, spring 2026 · 产品总表"])
    sheet.append([])
    sheet.append(["Code 编号", "Name 名称", "Per unit 单件", None, "Updated 更新", "Margin 毛利"])
    sheet.append([None, None, "Weight kg 重量", "Price 价格", None, None])
    for merged in ("A1:F1", "A3:A4", "B3:B4", "C3:D3", "E3:E4", "F3:F4"):
        sheet.merge_cells(merged)
    for row in STOCK:
        sheet.append(list(row))
    sheet.append(["Total 合计", None, None, "=SUM(D5:D8)", None, None])
    for number in range(5, 10):
        sheet.cell(number, 4).number_format = '"¥"#,##0.00'
        sheet.cell(number, 5).number_format = "yyyy-mm-dd"
        sheet.cell(number, 6).number_format = "0.0%"
    contacts = book.create_sheet("Contacts 联系")
    contacts.append(["Region 地区", "Person 负责人", "Phone 电话"])
    contacts.append(["East 华东", "Sales desk A", "021-5555 0101"])
    contacts.append(["South 华南", "Sales desk B", "020-5555 0102"])
    return _saved(book)


def brochure() -> bytes:
    """A Word document with headings, a list and a table with merged cells."""
    from docx import Document

    document = Document()
    document.core_properties.created = document.core_properties.modified = MADE
    document.core_properties.author = ""
    document.add_heading("Light for desks · 桌面之光", 0)
    document.add_paragraph(
        "Our lamps follow the sun: cool in the morning, warm in the evening. 灯光随日出日落而变，护眼不刺眼。"
    )
    document.add_heading("Why people choose it · 选择理由", 1)
    for line in (
        "No flicker · 无频闪",
        "Three years of warranty · 三年质保",
        "Parts that can be replaced · 部件可更换",
    ):
        document.add_paragraph(line, style="List Bullet")
    document.add_heading("Models · 型号", 1)
    table = document.add_table(rows=1, cols=3)
    for cell, text in zip(table.rows[0].cells, ("Series 系列", "Model 型号", "Price 价格"), strict=True):
        cell.text = text
    for series, model, price in (("LX", "LX-20", "199.00"), ("LX", "LX-35", "459.00"), ("AC", "AC-11", "29.90")):
        for cell, text in zip(table.add_row().cells, (series, model, price), strict=True):
            cell.text = text
    table.cell(2, 0).text = ""
    table.cell(1, 0).merge(table.cell(2, 0)).text = "LX"
    document.add_heading("Contact · 联系方式", 1)
    document.add_paragraph("电话：021-5555 0101")
    document.add_paragraph("E-mail: desk@example.com")
    return _saved(document)


def web_page() -> bytes:
    """A product page as a shop has it: with a menu, a script and a footer around what it says."""
    return """<!DOCTYPE html>
<html lang="zh"><head><meta charset="utf-8"><title>智能台灯 LX-20</title>
<style>body { font: 16px sans-serif }</style><script>track("view");</script></head>
<body>
<nav><a href="/">首页</a> <a href="/lamps">灯具</a> <a href="/cart">购物车</a></nav>
<main>
<h1>智能台灯 LX-20 · Smart desk lamp</h1>
<p>随日照变化的护眼台灯，<strong>无频闪</strong>。A desk lamp that follows the light of the day.</p>
<h2>规格 · Specification</h2>
<table>
<tr><th>项目</th><th>数值</th></tr>
<tr><td>功率</td><td>12 W</td></tr>
<tr><td>色温</td><td>2700 – 6500 K</td></tr>
<tr><td>重量</td><td>1.2 kg</td></tr>
</table>
<h2>包装清单 · In the box</h2>
<ul><li>台灯 × 1</li><li>电源线 × 1</li><li>说明书 × 1</li></ul>
</main>
<footer>© 示例商店 <a href="/imprint">Imprint</a></footer>
</body></html>
""".encode()


def report() -> bytes:
    """A report of two pages with a table that goes over the edge."""
    first, second = portable.Page(), portable.Page()
    first.text(60, 80, "Quarterly report", size=22, bold=True)
    first.text(60, 104, "2026 年第一季度销售报告", size=13)
    for number, line in enumerate(("部门：华东销售部", "负责人：示例甲", "日期：2026-04-02")):
        first.text(60, 140 + 16 * number, line)
    first.text(60, 210, "Sales grew in every month of the quarter. Lamps made up two thirds of it, and")
    first.text(60, 224, "desks, on sale since March, the rest. Returns stayed below one percent.")
    first.text(60, 262, "Sales by shop", size=15, bold=True)
    rows = [["Shop", "January", "February", "March"]]
    rows += [[f"Shop {number:02}", str(310 + 7 * number), str(325 + 9 * number), str(402 + 11 * number)]
             for number in range(1, 31)]  # fmt: skip
    first.table(60, 280, [120, 110, 110, 110], rows[:26])
    bottom = second.table(60, 60, [120, 110, 110, 110], [rows[0], *rows[26:]])
    second.text(60, bottom + 40, "Outlook", size=15, bold=True)
    second.text(60, bottom + 64, "The second quarter starts with 2400 bulbs in stock and four new shops.")
    return portable.pdf([first, second])


def _saved(document: object) -> bytes:
    out = io.BytesIO()
    document.save(out)  # type: ignore[attr-defined]
    return out.getvalue()
