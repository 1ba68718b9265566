#!/usr/bin/env python3
"""A JUnit file has the structure that report services read: elements and their order, the attributes that the common schema
requires, counts that add up. usage: junit.py FILE [FAILURES [ERRORS]]"""
import re
import sys
import xml.etree.ElementTree as ET

# element: (required attributes, further attributes, children in order: name, least, most)
MANY = 1 << 30
ELEMENTS = {
    "testsuites": ({"tests", "failures", "errors", "time"}, {"name", "disabled"}, [("testsuite", 0, MANY)]),
    "testsuite": ({"name", "timestamp", "hostname", "tests", "failures", "errors", "time", "id", "package"}, {"skipped"},
                  [("properties", 1, 1), ("testcase", 0, MANY), ("system-out", 1, 1), ("system-err", 1, 1)]),
    "properties": (set(), set(), [("property", 0, MANY)]),
    "property": ({"name", "value"}, set(), []),
    "testcase": ({"name", "classname", "time"}, set(), [("skipped", 0, 1), ("error", 0, 1), ("failure", 0, 1)]),
    "skipped": (set(), {"message"}, []),
    "failure": ({"type"}, {"message"}, []),
    "error": ({"type"}, {"message"}, []),
    "system-out": (set(), set(), []),
    "system-err": (set(), set(), []),
}


def check(element):
    required, further, children = ELEMENTS[element.tag]
    names = set(element.attrib)
    assert required <= names <= required | further, f"{element.tag}: {sorted(names ^ required)}"
    order = [name for name, _, _ in children]
    at = [order.index(child.tag) for child in element]
    assert at == sorted(at), f"{element.tag}: children out of order"
    for i, (name, least, most) in enumerate(children):
        assert least <= at.count(i) <= most, f"{element.tag}: {at.count(i)} of {name}"
    for child in element:
        check(child)


def main():
    root = ET.parse(sys.argv[1]).getroot()
    assert root.tag == "testsuites"
    check(root)
    failures = errors = 0
    for suite in root:
        cases = suite.findall("testcase")
        assert int(suite.get("tests")) == len(cases)
        assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("errors")) == len(suite.findall("testcase/error"))
        assert int(suite.get("skipped")) == len(suite.findall("testcase/skipped"))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp"))
        names = [c.get("classname") + c.get("name") for c in cases]
        assert len(set(names)) == len(names), "names are unique"
        failures += int(suite.get("failures"))
        errors += int(suite.get("errors"))
    assert int(root.get("failures")) == failures and int(root.get("errors")) == errors
    assert len(sys.argv) < 3 or failures == int(sys.argv[2]), f"{failures} failures"
    wanted = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    assert len(sys.argv) < 3 or errors == wanted, f"{errors} errors"
    print(f"{root.get('tests')} cases, {failures} failures")


if __name__ == "__main__":
    main()
