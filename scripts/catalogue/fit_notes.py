#!/usr/bin/env python3
"""Counts what coded notes say of their codes, and fits the trees that score a finding of a note.

fit_notes.py OUT TABLE… [--judge TABLE…]

Each TABLE comes from `cargo run -p hysio-clinical --example note_table CATALOGUE
TRAIN.jsonl`, one with and one without the alphabetical index. Writes code_priors.tsv, code_associations.tsv and
note_trees.tsv to the folder OUT (crates/clinical/data). A note's own codes never count for its own features: the counts are
made anew for every tenth of the notes without it. Needs numpy and lightgbm; one thread and a fixed seed, so that the
same inputs give the same files.
"""

import json
import math
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

import lightgbm
import numpy as np

SOURCE = """\
# Counts made from the training part (500 clinical cases) of: A. Miranda-Escalada, A. Gonzalez-Agirre, J. Armengol-Estape,
# M. Krallinger, "CodiEsp corpus: Spanish clinical cases coded in ICD10 (CIE10)", 2020, CC BY 4.0. No text of the corpus
# is in this file.
"""
PRIORS_HEAD = f"""\
{SOURCE}# code, texts that have it, texts where the matcher finds it named, texts of these where it is right (the latter two are
# means of a catalogue with and one without the alphabetical index). Three characters: the category.
"""
ASSOCIATIONS_HEAD = f"""\
{SOURCE}# stems that stand together, texts that have them, and for codes (three characters and *: categories) the texts that have both.
"""
TREES_HEAD = "# Trees of the score of a note's finding, by fit_notes.py: a node a line, `feature threshold left right` or `value`.\n"

FOLDS = 10
# As in associations.rs and priors.rs.
WORTH = 3.0  # texts that a code's own share is worth where words are counted
GRAM_WORDS, GRAM_TEXTS_MAX, PAIR_MIN = 3, 120, 3
LIFT_MIN, SHARE_MIN, CANDIDATE_MIN = 1.5, 0.05, 0.25
RIGHT_SHARE, RIGHT_CATEGORY_SHARE, RIGHT_WORTH, UNSEEN = 0.13, 0.2, 3.0, 0.1
LETTERS = re.compile("[a-z]{3}")  # numbers and initials alone say nothing
LEXICAL = 11
NAMES = [
    "term_cover", "log_weight", "density", "words", "log_mentions", "rivals", "position", "history",
    "is_title", "is_includes", "is_index", "reliability", "category_reliability", "blended_reliability", "prior",
    "category_prior", "association", "association_texts", "association_lift", "association_mean",
    "category_association", "behind_category", "better_in_category", "better_in_note", "candidates", "log_words",
    "letter", "length",
]  # fmt: skip


def category(code):
    return code[:3]


def is_right(code, gold):
    return any(code.startswith(wanted) for wanted in gold)


class Note:
    def __init__(self, row):
        self.gold = set(row["gold"])
        self.categories = {category(code) for code in self.gold}
        self.words = sum(len(sentence) for sentence in row["sentences"])
        self.grams = {
            " ".join(run[at : at + length])
            for run in row["sentences"]
            for length in range(1, GRAM_WORDS + 1)
            for at in range(len(run) - length + 1)
            if any(LETTERS.search(word) for word in run[at : at + length])
        }
        self.named = {}
        for code, features in row["named"]:
            self.named.setdefault(code, features)


class Counts:
    """Over some notes, each of which may come with several tables."""

    def __init__(self, notes=(), tables=1):
        self.texts = len(notes) / tables
        self.given, self.named, self.right, self.grams, self.pairs = (Counter() for _ in range(5))
        for note in notes:
            both = list(note.gold) + [c + "*" for c in note.categories]
            for code in both:
                self.given[code] += 1 / tables
            named = {code: is_right(code, note.gold) for code in note.named}
            for code in {category(code) for code in named}:
                named[code + "*"] = code in note.categories
            for code, right in named.items():
                self.named[code] += 1 / tables
                self.right[code] += right / tables
            for gram in note.grams:
                self.grams[gram] += 1 / tables
                for code in both:
                    self.pairs[gram, code] += 1 / tables

    def says(self, gram, code):
        """Whether the code is likely enough with the run of words."""
        share = (self.given[code] + UNSEEN) / self.texts
        given = (self.pairs[gram, code] + WORTH * share) / (self.grams[gram] + WORTH)
        return given >= share * LIFT_MIN and given >= SHARE_MIN

    def prune(self):
        self.grams = Counter({g: n for g, n in self.grams.items() if PAIR_MIN <= n <= GRAM_TEXTS_MAX})
        kept = {p: n for p, n in self.pairs.items() if n >= PAIR_MIN and p[0] in self.grams and self.says(*p)}
        self.pairs = Counter(kept)
        used = {gram for gram, _ in self.pairs}
        self.grams = Counter({g: n for g, n in self.grams.items() if g in used})
        self.codes_of = defaultdict(list)
        for gram, code in sorted(self.pairs):
            self.codes_of[gram].append(code)

    def within(self, whole):
        self.grams = Counter({g: n for g, n in self.grams.items() if g in whole.grams})
        self.pairs = Counter({p: n for p, n in self.pairs.items() if p in whole.pairs})
        return self


NOTHING = Counts()


class Model:
    """The counts of all notes but some."""

    def __init__(self, all_notes, without=NOTHING):
        self.all, self.without = all_notes, without
        self.texts = all_notes.texts - without.texts

    def count(self, name, key):
        return getattr(self.all, name)[key] - getattr(self.without, name)[key]

    def share(self, code):
        return (self.count("given", code) + UNSEEN) / self.texts

    def reliability(self, key, start):
        return (self.count("right", key) + RIGHT_WORTH * start) / (self.count("named", key) + RIGHT_WORTH)

    def associations(self, note):
        found, categories = defaultdict(list), {}
        for gram in note.grams & self.all.grams.keys():
            texts = self.count("grams", gram)
            for code in self.all.codes_of[gram]:
                both = self.count("pairs", (gram, code))
                if both < PAIR_MIN:
                    continue
                share = self.share(code)
                given = (both + WORTH * share) / (texts + WORTH)
                if given < share * LIFT_MIN or given < SHARE_MIN:
                    continue
                if code.endswith("*"):
                    categories[code[:3]] = max(categories.get(code[:3], 0.0), given)
                else:
                    found[code].append((given, both, log_odds(min(given, 0.98)) - log_odds(max(share, 1e-4))))
        return found, categories

    def rows(self, note):
        """A row of features for each candidate."""
        found, categories = self.associations(note)
        codes = dict(note.named)
        for code, of_code in found.items():
            if code not in codes and max(of_code)[0] >= CANDIDATE_MIN:
                codes[code] = None
        strength = {c: f[1] + 3 * f[0] + 2 * f[2] if f else 0.0 for c, f in codes.items()}
        rivals = defaultdict(list)
        for code, value in strength.items():
            rivals[category(code)].append(value)
        for code, features in codes.items():
            own = strength[code]
            near = rivals[category(code)]
            starred = category(code) + "*"
            of_category = self.reliability(starred, RIGHT_CATEGORY_SHARE)
            best = sorted(found.get(code, []), reverse=True)[:3]
            yield code, (features or [0.0] * LEXICAL) + [
                log_odds(self.reliability(code, RIGHT_SHARE)),
                log_odds(of_category),
                log_odds(self.reliability(code, min(of_category, 0.5) * 0.6)),
                math.log(self.share(code)),
                math.log(self.share(starred)),
                best[0][0] if best else 0.0,
                best[0][1] if best else 0.0,
                best[0][2] if best else 0.0,
                sum(given for given, *_ in best) / 3,
                categories.get(category(code), 0.0),
                own - max(near),
                sum(value > own for value in near),
                sum(value > own for value in strength.values()) / len(strength),
                len(codes),
                math.log(max(note.words, 1)),
                ord(code[0]) - ord("A"),
                len(code),
            ]


def log_odds(share):
    return math.log(share / (1 - share))


def read(paths):
    return [[Note(json.loads(line)) for line in open(path, encoding="utf-8")] for path in paths]


def fit(tables):
    everything = [note for table in tables for note in table]
    whole = Counts(everything, len(tables))
    whole.prune()
    x, y = [], []
    for fold in range(FOLDS):
        inside = [note for table in tables for note in table[fold::FOLDS]]
        model = Model(whole, Counts(inside, len(tables)).within(whole))
        for note in inside:
            for code, features in model.rows(note):
                x.append(features)
                y.append(is_right(code, note.gold))
    parameters = dict(
        objective="binary", learning_rate=0.05, num_leaves=15, min_data_in_leaf=80, feature_fraction=0.5,
        bagging_fraction=0.7, bagging_freq=1, lambda_l2=5, verbose=-1, num_threads=1, seed=1, deterministic=True,
    )  # fmt: skip
    data = lightgbm.Dataset(np.array(x, np.float32), np.array(y, float), feature_name=NAMES)
    return whole, lightgbm.train(parameters, data, 220)


def write(out, whole, booster):
    with open(out / "code_priors.tsv", "w", encoding="utf-8") as file:
        file.write(PRIORS_HEAD)
        for code in sorted(whole.given.keys() | whole.named.keys()):
            counts = [whole.given[code], whole.named[code], whole.right[code]]
            if max(counts) >= 2:
                file.write("\t".join([code] + [f"{round(count, 4):g}" for count in counts]) + "\n")
    with open(out / "code_associations.tsv", "w", encoding="utf-8") as file:
        file.write(ASSOCIATIONS_HEAD)
        for gram in sorted(whole.codes_of):
            codes = " ".join(f"{code}:{whole.pairs[gram, code]:g}" for code in whole.codes_of[gram])
            file.write(f"{gram}\t{whole.grams[gram]:g}\t{codes}\n")
    with open(out / "note_trees.tsv", "w", encoding="utf-8") as file:
        file.write(TREES_HEAD)
        for tree in booster.dump_model()["tree_info"]:
            file.write("\n".join(nodes(tree["tree_structure"])) + "\n\n")


def nodes(root):
    """A tree's nodes, each after the one above it; children are numbered from the tree's first line."""
    lines, queue, number = [], [root], 1
    while queue:
        node = queue.pop(0)
        if "leaf_value" in node:
            lines.append(f"{node['leaf_value']:.5g}")
            continue
        lines.append(f"{node['split_feature']} {node['threshold']:.6g} {number} {number + 1}")
        queue += [node["left_child"], node["right_child"]]
        number += 2
    return lines


def judge(whole, booster, table):
    model, scored = Model(whole), []
    for note in table:
        codes, features = zip(*model.rows(note))
        p = booster.predict(np.array(features, np.float32))
        scored.append(sorted(zip(-p, codes)))
    first = [[code for _, code in rows[:10]] for rows in scored]
    exact = np.mean([sum(is_found(g, c) for g in n.gold) / len(n.gold) for n, c in zip(table, first)])
    near = np.mean([len({category(x) for x in c} & n.categories) / len(n.categories) for n, c in zip(table, first)])
    print(f"recall@10 {exact:.3f} exact, {near:.3f} by category")
    for threshold in (0.15, 0.2, 0.25, 0.3, 0.35):
        taken = [[code for p, code in rows if -p >= threshold] for rows in scored]
        given = sum(map(len, taken))
        right = sum(is_right(code, n.gold) for n, t in zip(table, taken) for code in t)
        found = sum(is_found(g, t) for n, t in zip(table, taken) for g in n.gold)
        near = [({category(c) for c in t}, n.categories) for n, t in zip(table, taken)]
        hits = sum(len(t & g) for t, g in near)
        p, r = right / given, found / sum(len(n.gold) for n in table)
        pc, rc = hits / sum(len(t) for t, _ in near), hits / sum(len(g) for _, g in near)
        print(f"from {threshold}: P {p:.3f} R {r:.3f} F1 {2 * p * r / (p + r):.3f}, by category {2 * pc * rc / (pc + rc):.3f}")
    p = np.array([-p for rows in scored for p, _ in rows])
    y = np.array([is_right(code, n.gold) for n, rows in zip(table, scored) for _, code in rows])
    for low in np.arange(0, 1, 0.1):
        inside = (p >= low) & (p < low + 0.1)
        print(f"  said {p[inside].mean():.3f}, right {y[inside].mean():.3f} of {inside.sum()}")


def is_found(gold, codes):
    return any(code.startswith(gold) for code in codes)


def main():
    arguments = sys.argv[1:]
    at = arguments.index("--judge") if "--judge" in arguments else len(arguments)
    out, *train = arguments[:at]
    whole, booster = fit(read(train))
    write(Path(out), whole, booster)
    for path in arguments[at + 1 :]:
        print(path)
        judge(whole, booster, read([path])[0])


main()
