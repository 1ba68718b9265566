"""A python3 run with more than a million allocation events: parse and compile, JSON, regular expressions, dictionaries."""
import ast
import collections
import json
import os
import random
import re

random.seed(1)
nodes = 0
for name in ("argparse", "typing", "ast"):
    path = os.path.join(os.path.dirname(os.__file__), name + ".py")
    with open(path, encoding="utf-8") as source:
        tree = ast.parse(source.read())
    compile(tree, path, "exec")
    nodes += sum(1 for _ in ast.walk(tree))
records = [{f"k{i}": [i, str(i) * 3, {"x": i * 1.5}] for i in range(40)} for _ in range(60)]
text = json.dumps(records)
for _ in range(2):
    records = json.loads(text)
words = collections.Counter(re.findall(r"\w+", text))
table = {}
for _ in range(30000):
    table[random.randrange(3000)] = "x" * random.randrange(200)
print(nodes, len(words), len(table))
