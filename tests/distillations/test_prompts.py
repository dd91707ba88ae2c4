"""Placeholders of an article setting are filled in, once, and nothing else is."""

from hypothesis import given
from hypothesis import strategies as st

from distillations.prompts import PLACEHOLDER, Facts, filled

FACTS = Facts("shoes", ("Which?", "Why?"), "Acme", "trade", "acme.example", "1 Road", ("Care", "Sizes"))


def test_every_placeholder_is_filled_in():
    template = "{keyword}|{topics}|{topicsList}|{companyName}|{companyIndustry}|{companyWebsite}|{companyAddress}"
    template += "|{knowledgeBase}"
    expected = "shoes|Which?; Why?|1. Which?\n2. Why?|Acme|trade|acme.example|1 Road|- Care\n- Sizes"
    assert filled(template, FACTS) == expected


def test_without_any_the_facts_that_there_are_follow():
    said = filled("Write well.", Facts("shoes", ("Which?",), company_name="Acme"))
    assert said == "Write well.\n\nKeyword: shoes\nTopics: Which?\nCompany: Acme"


def test_what_a_fact_says_is_no_template():
    assert filled("{keyword} {unknown} {", Facts("{topics} {0}", ("x",))) == "{topics} {0} {unknown} {"


@given(st.text(), st.text(min_size=1))
def test_any_template_takes_any_facts(template, keyword):
    said = filled(template, Facts(keyword, (keyword,)))
    assert PLACEHOLDER.search(template) or said.startswith(template.strip())
