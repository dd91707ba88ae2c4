"""Dates and numbers as in the English screens: Django's zh-Hans groups no digits, so 21726 is hard to read."""

DATE_FORMAT = "Y-m-d"
DATETIME_FORMAT = "Y-m-d H:i:s"
SHORT_DATE_FORMAT = "Y-m-d"
SHORT_DATETIME_FORMAT = "Y-m-d H:i"
TIME_FORMAT = "H:i:s"
THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
