"""Invented articles for the sample workspace: Chinese and English, of no real place, institution or person.

Every text is a pattern with a place and numbers in it, so that stories of one pattern are different stories; some
come a second time from another source with other words around them, as wires do.
"""

# ruff: noqa: E501 - a pattern per line is easier to read than one in pieces

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

ID_START = "sample-"
DAYS = 14

# place, region
ZH_PLACES = [
    ("东湖区", "internal"), ("西山区", "internal"), ("南苑区", "internal"), ("北桥区", "internal"), ("云河区", "internal"),
    ("临江市", "external"), ("海滨市", "external"), ("青原县", "external"), ("松岭市", "unknown"),
]  # fmt: skip
EN_PLACES = [
    ("Eastlake", "internal"), ("Hillside", "internal"), ("Southgate", "internal"), ("Northbridge", "internal"),
    ("Riverton", "external"), ("Seaview", "external"), ("Greenfield", "external"), ("Pinewood", "external"),
    ("Oldmarket", "unknown"),
]  # fmt: skip
ZH_SOURCES = ["城市日报", "教育周刊", "晨间新闻网", "市民在线", "校园观察"]
EN_SOURCES = ["City Herald", "Education Weekly", "Morning Wire", "Citizen Online", "Campus Review"]

# title, summary, sentiment, keywords; {p} is the place, {a} {b} {c} are numbers
ZH_STORIES = [
    ("{p}新增{a}所普惠幼儿园", "{p}教育部门通报，本学期新增{a}所普惠幼儿园，提供学位{b}个，覆盖{c}个社区。", "positive", ["幼儿园", "学位"]),
    ("{p}中小学课后服务延长至{h}点", "自下月起，{p}{b}所中小学课后服务延长，约{c}名学生受益，家长可按周报名。", "positive", ["课后服务"]),
    ("{p}一培训机构突然停课，{a}名家长要求退费", "{p}一家校外培训机构停止授课，{a}名家长登记退费，涉及金额约{b}万元，监管部门已受理{c}件投诉。", "negative", ["培训", "退费"]),
    ("{p}图书馆夜间开放，首周接待{a}人次", "{p}图书馆试行夜间开放，首周接待读者{a}人次，新增自习座位{b}个，延时至{h}点。", "positive", ["图书馆"]),
    ("{p}食堂抽检：{a}家学校被要求整改", "市场监管部门抽检{p}{b}家学校食堂，{a}家存在台账不全等问题，限期{c}天整改。", "negative", ["食堂", "食品安全"]),
    ("{p}职业学校与{a}家企业签约共建实训基地", "{p}职业学校与{a}家企业签约，共建{b}个实训基地，预计每年接收实习学生{c}名。", "positive", ["职业教育"]),
    ("{p}校车路线调整引发{a}条咨询", "{p}调整{b}条校车路线，热线一天内收到{a}条咨询，主管部门增设{c}个临时站点。", "unknown", ["校车"]),
    ("{p}开展校园安全演练，{a}名师生参加", "{p}组织防灾疏散演练，{a}名师生在{b}分钟内完成疏散，{c}所学校同步进行。", "positive", ["安全"]),
    ("{p}家长反映校门口拥堵，交管部门增派{a}名人员", "{p}多所学校门口早高峰拥堵，交管部门增派{a}名人员，新设{b}处即停即走区，试行{c}天。", "negative", ["交通"]),
    ("{p}公布教师招聘计划，拟招{a}人", "{p}公布新学年教师招聘计划，拟招{a}人，其中科学类岗位{b}个，报名时间{c}天。", "positive", ["招聘", "教师"]),
    ("{p}一小区配套学校延期{a}个月交付", "{p}一小区配套学校工程延期{a}个月，影响{b}名适龄儿童入学，临时安排至{c}公里外就读。", "negative", ["学位", "工程"]),
    ("{p}青少年科技节收到{a}件作品", "{p}青少年科技节收到{a}件作品，{b}件进入展示环节，周末开放{c}场讲解。", "positive", ["科技"]),
    ("{p}推行午休躺睡，覆盖{a}间教室", "{p}为{a}间教室配备可躺座椅，{b}所学校先行，惠及学生{c}名。", "positive", ["午休"]),
    ("{p}网课平台故障{a}小时，学生无法提交作业", "{p}统一网课平台故障{a}小时，约{b}名学生无法提交作业，技术方致歉并延长期限{c}天。", "negative", ["网课", "故障"]),
    ("{p}高校开放{a}处体育场馆", "{p}高校向居民开放{a}处体育场馆，每周开放{b}小时，可预约人数{c}人。", "positive", ["体育"]),
    ("{p}消防检查发现{a}处校舍隐患", "消防部门检查{p}{b}所学校，发现{a}处隐患，要求{c}日内完成整改。", "negative", ["消防", "校舍"]),
    ("{p}助学金发放提前{a}天，惠及{b}名学生", "{p}本年度助学金提前{a}天发放，惠及{b}名学生，人均金额提高{c}元。", "positive", ["助学金"]),
    ("{p}中学试点机器人课程，首批{a}个班", "{p}中学试点机器人课程，首批{a}个班开课，配备器材{b}套，课时{c}节。", "positive", ["课程"]),
]  # fmt: skip
EN_STORIES = [
    ("{p} opens {a} affordable nurseries", "{p} opened {a} affordable nurseries this term, with {b} places in {c} neighbourhoods.", "positive", ["nursery"]),
    ("After-school care in {p} now runs until {h} o'clock", "From next month {b} schools in {p} offer longer after-school care; about {c} pupils have signed up.", "positive", ["care"]),
    ("Training centre in {p} closes, {a} families ask for refunds", "A private training centre in {p} stopped its courses. {a} families ask for refunds of {b} thousand in all; {c} complaints are open.", "negative", ["refunds"]),
    ("{p} library counts {a} visitors in its first late-night week", "The {p} library stays open late. In the first week it counted {a} visitors and added {b} desks; doors close at {c}.", "positive", ["library"]),
    ("Inspectors ask {a} school canteens in {p} to improve", "Of {b} canteens inspected in {p}, {a} kept incomplete records and have {c} days to put that right.", "negative", ["canteen", "food"]),
    ("Vocational school in {p} signs with {a} companies", "A vocational school in {p} and {a} companies will share {b} workshops and {c} internships a year.", "positive", ["training"]),
    ("New school bus routes in {p} raise {a} questions in a day", "{p} changed {b} school bus routes; the hotline took {a} calls and {c} temporary stops were added.", "unknown", ["bus"]),
    ("{a} pupils take part in safety drill in {p}", "In a drill across {c} schools in {p}, {a} pupils left their buildings within {b} minutes.", "positive", ["safety"]),
    ("Roof of a sports hall in {p} leaks for {a} weeks", "A sports hall in {p} has been closed for {a} weeks; {b} classes moved and repairs may cost {c} thousand.", "negative", ["buildings"]),
    ("{p} wants to hire {a} teachers", "{p} published its plan to hire {a} teachers, {b} of them for science; applications close in {c} days.", "positive", ["hiring"]),
    ("School building in {p} delayed by {a} months", "A new school in {p} will open {a} months late. {b} children will travel {c} kilometres until then.", "negative", ["building"]),
    ("Youth science fair in {p} receives {a} projects", "The youth science fair in {p} received {a} projects, shows {b} of them and offers {c} guided tours.", "positive", ["science"]),
    ("Learning platform down for {a} hours in {p}", "The learning platform of {p} failed for {a} hours. {b} pupils could not hand in homework; deadlines moved by {c} days.", "negative", ["platform"]),
    ("Universities in {p} open {a} sports grounds to residents", "Residents of {p} may now use {a} sports grounds for {b} hours a week, up to {c} people at a time.", "positive", ["sports"]),
    ("Fire inspection finds {a} faults in schools of {p}", "Fire inspectors visited {b} schools in {p}, found {a} faults and gave {c} days to mend them.", "negative", ["fire"]),
    ("Grants paid {a} days early in {p}", "Student grants in {p} were paid {a} days early to {b} students, {c} more each than last year.", "positive", ["grants"]),
]  # fmt: skip

COPIES_EVERY = 9  # one story in so many comes again from another source
_ZH_AROUND = ("快讯：{}", "{} 详情以官方通报为准。")
_EN_AROUND = ("Update: {}", "{} More is to follow.")


def articles(until: datetime) -> list[dict[str, Any]]:
    """The rows, published within the last DAYS days before `until`; the same ones at every call but for the time."""
    made: list[dict[str, Any]] = []
    for number, row in enumerate([*_stories("zh"), *_stories("en")]):
        row["published_at"] = (until - timedelta(minutes=1 + number * 997 % (DAYS * 24 * 60))).isoformat()
        row["score"] = _score(number)
        row["importance"] = None if number % 4 == 3 else 40 + number * 7 % 60
        made.append(row)
        if number % COPIES_EVERY == 4:
            made.append(_copy(row, until))
    return made


def _stories(language: str) -> Iterator[dict[str, Any]]:
    places, stories, sources = (
        (ZH_PLACES, ZH_STORIES, ZH_SOURCES) if language == "zh" else (EN_PLACES, EN_STORIES, EN_SOURCES)
    )
    for which, (title, summary, sentiment, keywords) in enumerate(stories):
        for where, (place, region) in enumerate(places):
            number = which * len(places) + where
            words = {
                "p": place,
                "a": 3 + number * 13 % 89,
                "b": 110 + number * 37 % 863,
                "c": 2 + number * 11 % 29,
                "h": 18 + number % 4,  # o'clock
            }
            said = summary.format(**words)
            yield {
                "article_id": f"{ID_START}{language}-{number + 1:03}",
                "title": title.format(**words),
                "summary": "" if number % 53 == 52 else said,  # now and then the model had nothing to say
                "content": f"{said}\n\n{said}" if language == "en" else said * 2,
                "source": sources[number % len(sources)],
                "url": f"https://example.org/{language}/{number + 1:03}",
                "keywords": keywords,
                "region": region,
                "sentiment": sentiment,
            }


def _score(number: int) -> int | None:
    return None if number % 61 == 60 else 45 + number * 29 % 54


def _copy(row: dict[str, Any], until: datetime) -> dict[str, Any]:
    """The same story from another source, an hour later and scored a little lower."""
    is_chinese = "-zh-" in row["article_id"]
    title, summary = _ZH_AROUND if is_chinese else _EN_AROUND
    sources = ZH_SOURCES if is_chinese else EN_SOURCES
    later = min(datetime.fromisoformat(row["published_at"]) + timedelta(hours=1), until)
    return row | {
        "article_id": f"{row['article_id']}-copy",
        "title": title.format(row["title"]),
        "summary": summary.format(row["summary"]) if row["summary"] else "",
        "source": sources[(sources.index(row["source"]) + 1) % len(sources)],
        "url": f"{row['url']}-copy",
        "score": None if row["score"] is None else row["score"] - 2,
        "published_at": later.isoformat(),
    }
