"""Finds codes for phrases with Hysio and with what else is at hand, over the same terms in the same run, and prints a table.

Called by codes.sh. Every peer searches the titles and inclusion terms of the same official file and gives ten codes, each
once. Exact: the code is a gold code or below one, seventh characters dropped.
"""

import argparse
import http.client
import json
import statistics
import time
import urllib.parse
import xml.etree.ElementTree as xml
import zipfile
from importlib.metadata import version

import psycopg
import rapidfuzz
import tantivy

KEPT = 10
# Terms asked for, so that ten different codes are among them.
ASKED = 100


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--rows", required=True)
    options.add_argument("--wheel", required=True)
    options.add_argument("--hysio", required=True, help="address of a diagnosecode service")
    options.add_argument("--postgres", required=True, help="connection string")
    options.add_argument("--most", type=int, default=500, help="phrases that are asked")
    given = options.parse_args()
    rows = [json.loads(line) for line in open(given.rows, encoding="utf-8") if line.strip()]
    rows = rows[:: max(1, len(rows) // given.most)][: given.most]
    terms = read_terms(given.wheel)
    peers = [
        ("Hysio, over HTTP", hysio(given.hysio)),
        (f"tantivy {version('tantivy')} (BM25, English stems), in the process", bm25(terms)),
        ("PostgreSQL pg_trgm (GiST, nearest first), over a socket", trigrams(given.postgres, terms)),
        (f"rapidfuzz {version('rapidfuzz')} (token_set_ratio), in the process", fuzzy(terms)),
    ]
    print(f"{len(rows)} phrases, {len(terms)} terms (titles and inclusion terms).\n")
    print("| | exact top 1 / 5 / 10 | p50 ms | p95 ms | time, Hysio = 1 |")
    print("|---|---|---|---|---|")
    base = None
    for name, search in peers:
        found, times = measure(search, rows)
        middle = statistics.median(times)
        base = base or middle
        top = " / ".join(f"{100 * share(found, rows, n):.1f}" for n in (1, 5, 10))
        late = sorted(times)[int(len(times) * 0.95)]
        print(f"| {name} | {top} | {middle * 1e3:.1f} | {late * 1e3:.1f} | {middle / base:.2f} |", flush=True)

    times = as_typed(given.hysio, rows[:: max(1, len(rows) // 50)])
    middle, late = statistics.median(times) * 1e3, sorted(times)[int(len(times) * 0.95)] * 1e3
    print(f"\nSearch as it is typed, {len(times)} keys: p50 {middle:.1f} ms, p95 {late:.1f} ms, over HTTP.")


def as_typed(address, rows):
    """Seconds of a search after each key, from the second on."""
    connection = http.client.HTTPConnection(address)
    times = []
    for row in rows:
        for end in range(2, len(row["text"]) + 1):
            path = "/v1/codes?" + urllib.parse.urlencode({"q": row["text"][:end]})
            begun = time.perf_counter()
            connection.request("GET", path)
            json.load(connection.getresponse())
            times.append(time.perf_counter() - begun)
    return times


def measure(search, rows):
    search(rows[0]["text"])
    found, times = [], []
    for row in rows:
        begun = time.perf_counter()
        codes = search(row["text"])
        times.append(time.perf_counter() - begun)
        found.append(codes)
    return found, times


def share(found, rows, n):
    right = sum(any(is_right(code, row["gold"]) for code in codes[:n]) for codes, row in zip(found, rows))
    return right / len(rows)


def is_right(code, gold):
    bare = lambda text: text.replace(".", "")[:6].rstrip("X")
    return any(bare(code).startswith(bare(wanted)) for wanted in gold)


def read_terms(wheel):
    archive = zipfile.ZipFile(wheel)
    name = next(name for name in archive.namelist() if name.endswith(".xml"))
    terms = []
    for diag in xml.fromstring(archive.read(name)).iter("diag"):
        code = diag.findtext("name")
        terms.append((code, diag.findtext("desc")))
        terms += [(code, note.text) for note in diag.findall("inclusionTerm/note") if note.text]
    return terms


def each_once(codes):
    return list(dict.fromkeys(codes))[:KEPT]


def hysio(address):
    connection = http.client.HTTPConnection(address)

    def search(text):
        body = json.dumps({"text": text, "limit": KEPT})
        connection.request("POST", "/v1/diagnosis-codes", body, {"content-type": "application/json"})
        return [one["code"] for one in json.load(connection.getresponse())["suggestions"]]

    return search


def bm25(terms):
    schema = (
        tantivy.SchemaBuilder()
        .add_text_field("text", stored=False, tokenizer_name="en_stem")
        .add_text_field("code", stored=True, tokenizer_name="raw")
        .build()
    )
    index = tantivy.Index(schema)
    writer = index.writer(heap_size=100_000_000, num_threads=1)
    for code, text in terms:
        writer.add_document(tantivy.Document(text=text, code=code))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()
    plain = str.maketrans({mark: " " for mark in "+^`:{}\"[]()<>~!\\*'-/,;.?&|"})

    def search(text):
        query = index.parse_query(text.translate(plain).lower(), ["text"])
        hits = searcher.search(query, ASKED).hits
        return each_once(searcher.doc(address)["code"][0] for _score, address in hits)

    return search


def trigrams(connection, terms):
    database = psycopg.connect(connection, autocommit=True)
    database.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    database.execute("CREATE TEMPORARY TABLE terms (code text, text text)")
    with database.cursor().copy("COPY terms FROM STDIN") as copy:
        for row in terms:
            copy.write_row(row)
    database.execute("CREATE INDEX ON terms USING gist (text gist_trgm_ops(siglen = 64))")
    database.execute("ANALYZE terms")

    def search(text):
        rows = database.execute("SELECT code FROM terms ORDER BY text <-> %s LIMIT %s", (text, ASKED))
        return each_once(code for (code,) in rows)

    return search


def fuzzy(terms):
    codes = [code for code, _text in terms]
    texts = [rapidfuzz.utils.default_process(text) for _code, text in terms]

    def search(text):
        text = rapidfuzz.utils.default_process(text)
        found = rapidfuzz.process.extract(text, texts, scorer=rapidfuzz.fuzz.token_set_ratio, limit=ASKED)
        return each_once(codes[at] for _text, _score, at in found)

    return search


if __name__ == "__main__":
    main()
