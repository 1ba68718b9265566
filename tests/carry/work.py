"""Exercises the interpreter, its C modules, threads and child processes; prints only what is deterministic."""
import bz2, collections, decimal, functools, hashlib, json, os, pickle, random, re, sqlite3, subprocess, sys
import threading, zlib

random.seed(42)
digest = hashlib.sha256()


def note(*values):
    digest.update(repr(values).encode())


rows = [{"id": i, "name": "n%d" % i, "tags": [str(j) for j in range(i % 7)], "x": i / 7} for i in range(20000)]
text = json.dumps(rows)
note(len(text), json.loads(text) == rows, len(pickle.dumps(rows)), len(pickle.loads(pickle.dumps(rows))))
note(zlib.crc32(zlib.decompress(zlib.compress(text.encode(), 6))), len(bz2.decompress(bz2.compress(text.encode()))))
note(len(re.findall(r'"n(\d+)": |"name"', text)), collections.Counter(re.findall(r"\d", text)).most_common())
words = {}
for i in range(200000):
    words.setdefault("k%d" % random.randrange(30000), []).append(i)
note(len(words), max(map(len, words.values())), sum(map(len, words.values())))
numbers = [random.getrandbits(random.randrange(1, 5000)) for _ in range(500)]
note(functools.reduce(lambda a, b: (a * b) % (1 << 4096) + 1, numbers))
decimal.getcontext().prec = 500
note(str(decimal.Decimal(2).sqrt()))
blocks = [bytearray(random.randrange(1, 400000)) for _ in range(300)]
for _ in range(3000):
    i = random.randrange(len(blocks))
    if random.random() < 0.5:
        blocks[i] = bytearray(random.randrange(1, 400000))
    else:
        blocks[i].extend(b"x" * random.randrange(1, 5000))
note([len(b) for b in blocks])
db = sqlite3.connect(":memory:")
db.execute("create table t(a integer primary key, b text, c real)")
db.executemany("insert into t values(?,?,?)", ((i, str(i) * (i % 20), i / 3) for i in range(20000)))
note(db.execute("select count(*), sum(a), max(length(b)) from t group by a % 5").fetchall())
results = [0] * 8


def worker(k):
    kept = []
    for i in range(20000):
        kept.append("%d-%d" % (k, i) * (i % 30))
        if i % 3 == 0:
            kept[i // 3] = None
    results[k] = sum(len(s) for s in kept if s)


threads = [threading.Thread(target=worker, args=(k,)) for k in range(8)]
for t in threads:
    t.start()
children = [subprocess.run([sys.executable, "-c", "print(sum(len(str(i)) for i in range(10000)))"],
                           capture_output=True, text=True).stdout for _ in range(3)]
for t in threads:
    t.join()
pid = os.fork()
if pid == 0:
    os._exit(0 if len([str(i) for i in range(100000)]) == 100000 else 1)
note(os.waitpid(pid, 0)[1], children, results)
print(digest.hexdigest())
