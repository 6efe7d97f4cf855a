# SQLite in the process that asks it: reads lines of JSON, answers each with one.
# {"load": rows file, "indexes": [SQL…]} -> {"load": s, "index": s, "bytes": n}; {"sql": text, "times": n} -> [ms…]
import json, os, sqlite3, sys, time

path = sys.argv[1]
db = sqlite3.connect(path, isolation_level=None)
db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-1000000; PRAGMA mmap_size=4000000000")


def load(rows, indexes):
    db.execute("CREATE TABLE twins (id INTEGER PRIMARY KEY, doc TEXT NOT NULL)")
    begun = time.perf_counter()
    db.execute("BEGIN")
    with open(rows) as lines:
        db.executemany("INSERT INTO twins VALUES (?, ?)", (line.rstrip("\n").split("\t") for line in lines))
    db.execute("COMMIT")
    loaded = time.perf_counter()
    for index in indexes:
        db.execute(index)
    db.execute("ANALYZE")
    indexed = time.perf_counter()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return {"load": loaded - begun, "index": indexed - loaded, "bytes": os.path.getsize(path)}


def times(sql, count):
    took = []
    for _ in range(count):
        begun = time.perf_counter()
        rows = db.execute(sql).fetchall()
        took.append((time.perf_counter() - begun) * 1000)
    if not rows:
        raise SystemExit("nothing found by " + sql)
    return took


for line in sys.stdin:
    asked = json.loads(line)
    answer = load(asked["load"], asked["indexes"]) if "load" in asked else times(asked["sql"], asked["times"])
    print(json.dumps(answer), flush=True)
