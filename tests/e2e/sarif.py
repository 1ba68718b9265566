#!/usr/bin/env python3
"""A SARIF log has what version 2.1.0 requires, says nothing that its schema forbids in the parts that we write, and has what
code-scanning services ask for beyond it. usage: sarif.py FILE [RESULTS]

Our own words for the members that we use, after the OASIS Standard; where the environment names the published schema
(ASSAY_SARIF_SCHEMA) and python has jsonschema, the file is held against that as well.
"""
import json
import os
import re
import sys
from urllib.parse import unquote, urlparse

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
LEVELS = {"none", "note", "warning", "error"}
KINDS = {"notApplicable", "pass", "fail", "review", "open", "informational"}

# object: {member: (required, type)}; other members are errors. A type is a class, the name of another object, or [of these].
OBJECTS = {
    "log": {"$schema": (0, str), "version": (1, str), "runs": (1, ["run"])},
    "run": {"tool": (1, "tool"), "automationDetails": (0, "details"), "invocations": (0, ["invocation"]),
            "originalUriBaseIds": (0, dict), "columnKind": (0, str), "results": (0, ["result"]), "properties": (0, dict)},
    "tool": {"driver": (1, "component")},
    "component": {"name": (1, str), "version": (0, str), "semanticVersion": (0, str), "rules": (0, ["rule"])},
    "rule": {"id": (1, str), "name": (0, str), "shortDescription": (0, "message"), "fullDescription": (0, "message"),
             "help": (0, "message"), "defaultConfiguration": (0, "configuration"), "properties": (0, dict)},
    "configuration": {"level": (0, str)},
    "details": {"id": (0, str)},
    "message": {"text": (1, str), "markdown": (0, str)},
    "invocation": {"commandLine": (0, str), "arguments": (0, [str]), "executionSuccessful": (1, bool), "exitCode": (0, int),
                   "startTimeUtc": (0, str), "endTimeUtc": (0, str), "toolExecutionNotifications": (0, ["notification"])},
    "notification": {"level": (0, str), "message": (1, "message"), "associatedRule": (0, "reference")},
    "reference": {"id": (0, str), "index": (0, int)},
    "result": {"ruleId": (0, str), "ruleIndex": (0, int), "kind": (0, str), "level": (0, str), "message": (1, "message"),
               "locations": (0, ["location"]), "relatedLocations": (0, ["location"]), "partialFingerprints": (0, dict),
               "occurrenceCount": (0, int), "stacks": (0, ["stack"]), "suppressions": (0, ["suppression"]),
               "properties": (0, dict)},
    "location": {"id": (0, int), "physicalLocation": (0, "physical"), "logicalLocations": (0, ["logical"]),
                 "message": (0, "message")},
    "physical": {"artifactLocation": (1, "artifact"), "region": (0, "region")},
    "artifact": {"uri": (1, str), "uriBaseId": (0, str)},
    "region": {"startLine": (1, int)},
    "logical": {"fullyQualifiedName": (0, str), "kind": (0, str)},
    "stack": {"message": (0, "message"), "frames": (1, ["frame"])},
    "frame": {"location": (0, "location"), "module": (0, str)},
    "suppression": {"kind": (1, str), "status": (0, str), "justification": (0, str)},
}


def check(value, kind, where):
    if isinstance(kind, list):
        assert isinstance(value, list), f"{where}: no array"
        for i, item in enumerate(value):
            check(item, kind[0], f"{where}[{i}]")
    elif isinstance(kind, str):
        assert isinstance(value, dict), f"{where}: no object"
        members = OBJECTS[kind]
        for name in value:
            assert name in members, f"{where}: {kind} has no member '{name}'"
        for name, (required, of) in members.items():
            assert name in value or not required, f"{where}: '{name}' is required"
            if name in value:
                check(value[name], of, f"{where}.{name}")
    else:
        ok = isinstance(value, kind) and (kind is not int or not isinstance(value, bool))
        assert ok, f"{where}: not of type {kind.__name__}"


def place(location, bases):
    artifact = location["physicalLocation"]["artifactLocation"]
    uri = urlparse(artifact["uri"])
    assert not re.search(r"[^!-~]|[<>\"\\ ]", artifact["uri"]), f"no URI: {artifact['uri']}"
    assert (uri.scheme == "file") != ("uriBaseId" in artifact), "absolute, or relative to a base"
    if "uriBaseId" in artifact:
        base = bases[artifact["uriBaseId"]]["uri"]
        assert base.startswith("file:///") and base.endswith("/"), base
        path = unquote(urlparse(base).path) + unquote(uri.path)
    else:
        path = unquote(uri.path)
    assert location["physicalLocation"]["region"]["startLine"] >= 1
    return path


def check_run(run):
    rules = run["tool"]["driver"]["rules"]
    bases = run.get("originalUriBaseIds", {})
    assert len({r["id"] for r in rules}) == len(rules), "rule ids are unique"
    for rule in rules:
        assert rule["help"]["text"] and rule["help"]["markdown"] and rule["shortDescription"]["text"]
        assert rule["defaultConfiguration"]["level"] in LEVELS
        assert 0 <= float(rule["properties"]["security-severity"]) <= 10
        assert len(rule["shortDescription"]["text"]) <= 1024 and len(rule["id"]) <= 255
        assert isinstance(rule["properties"]["judged"], bool)
    judged, rest = run["properties"]["judged"], run["properties"]["not_judged"]
    assert sorted(judged + rest) == sorted(r["id"] for r in rules) and not set(judged) & set(rest)
    invocation = run["invocations"][0]
    assert TIME.match(invocation["startTimeUtc"]) and TIME.match(invocation["endTimeUtc"])
    told = {n["associatedRule"]["id"] for n in invocation["toolExecutionNotifications"] if n["level"] == "note"}
    assert set(rest) <= told, "what was not judged is told"
    for result in run["results"]:
        rule = rules[result["ruleIndex"]]
        assert rule["id"] == result["ruleId"] and result["level"] in LEVELS and result["kind"] in KINDS
        assert result["message"]["text"] and re.fullmatch("[0-9a-f]{16}", result["partialFingerprints"]["assay/v1"])
        assert len(result["locations"]) == 1, "services show one"
        path = place(result["locations"][0], bases)
        for other in result.get("relatedLocations", []):
            assert other["id"] and os.path.exists(place(other, bases))
        assert os.path.exists(path), f"'{path}' is not there"
        for suppression in result.get("suppressions", []):
            assert suppression["kind"] in {"external", "inSource"} and suppression["justification"]
        assert invocation["exitCode"] == 1 or "suppressions" in result, "a finding that is new makes 1"
    return len(run["results"])


def main():
    with open(sys.argv[1], encoding="ascii") as file:
        log = json.load(file)
    check(log, "log", "log")
    assert log["version"] == "2.1.0" and "2.1.0" in log["$schema"] and len(log["runs"]) == 1
    results = check_run(log["runs"][0])
    assert len(sys.argv) < 3 or results == int(sys.argv[2]), f"{results} results"
    schema = os.environ.get("ASSAY_SARIF_SCHEMA")
    if schema:
        import jsonschema
        with open(schema, encoding="utf-8") as file:
            jsonschema.Draft7Validator(json.load(file)).validate(log)
    print(f"{results} results{', valid by the schema' if schema else ''}")


if __name__ == "__main__":
    main()
