#!/usr/bin/env python3
"""Counts, over coded texts, how often each code is given, and how often it is right where the matcher finds it named.

count_priors.py ROWS.jsonl TABLE… > crates/clinical/data/code_priors.tsv

The tables come from `cargo run -p hysio-clinical --example ranking_table CATALOGUE ROWS.jsonl 100`; with several (from
catalogues with and without the alphabetical index) the counts are their mean.
"""

import json
import sys
from collections import Counter

HEAD = """\
# code, in how many of 500 clinical cases its coders gave it, in how many the matcher found it named, in how many of these
# it was right (means of a catalogue with and one without the alphabetical index). Counts made from the training part of:
# A. Miranda-Escalada, A. Gonzalez-Agirre, J. Armengol-Estape, M. Krallinger, "CodiEsp corpus: Spanish clinical cases coded
# in ICD10 (CIE10)", 2020, CC BY 4.0. No text of the corpus is in this file.
"""
LEAST = 2


def main():
    rows, *tables = sys.argv[1:]
    given, named, right = Counter(), Counter(), Counter()
    for line in open(rows, encoding="utf-8"):
        given.update(set(json.loads(line)["gold"]))
    for table in tables:
        for line in open(table, encoding="utf-8"):
            _number, code, is_right, *_rest = line.split("\t")
            if "\tprior=" in line:
                named[code] += 1 / len(tables)
                right[code] += int(is_right) / len(tables)
    print(HEAD, end="")
    for code in sorted(given | named):
        if given[code] >= LEAST or named[code] >= LEAST:
            print(f"{code}\t{given[code]}\t{named[code]:g}\t{right[code]:g}")


main()
