#!/usr/bin/env python3
"""Fits the weights of the ranking from tables made by `cargo run -p hysio-clinical --example ranking_table`.

fit_ranker.py notes TABLE    logistic regression; priors are counted without the note itself
fit_ranker.py phrases TABLE  softmax over the suggestions of a phrase and the possibility that none is right; fitted on
                             the even rows, reported on the odd ones

Needs numpy and scipy. Prints the coefficients in the order of the features, for the Rust source.
"""

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

# As in priors.rs.
TEXTS, UNSEEN = 500.0, 0.2
RIGHT_SHARE, RIGHT_WORTH = 0.13, 3.0
COUNTS = Path(__file__).parents[2] / "crates/clinical/data/code_priors.tsv"


def read(path):
    names, texts = None, defaultdict(list)
    for line in open(path, encoding="utf-8"):
        number, code, right, near, _gold, *features = line.rstrip("\n").split("\t")
        own = [feature.split("=")[0] for feature in features]
        names = names or own
        if own != names:
            continue  # a text of the other kind
        values = [float(feature.split("=")[1]) for feature in features]
        texts[int(number)].append((int(right), int(near), values, code))
    return names, texts


def without_itself(log_share, is_counted, least):
    if not is_counted:
        return log_share
    count = np.exp(log_share) * TEXTS - 1
    return np.log((count if count >= least else UNSEEN) / TEXTS)


def read_counts():
    counts = {}
    for line in open(COUNTS, encoding="utf-8"):
        if not line.startswith("#"):
            code, _given, named, right = line.split("\t")
            counts[code] = float(named), float(right)
    return counts


def fit_notes(names, texts):
    prior, category, reliability = (names.index(name) for name in ("prior", "category_prior", "reliability"))
    counts = read_counts()
    rows, labels = [], []
    for suggestions in texts.values():
        for right, near, values, code in suggestions:
            values[prior] = without_itself(values[prior], right, 2)
            values[category] = without_itself(values[category], near, 1)
            named, was_right = counts.get(code, (1.0, float(right)))
            named, was_right = max(named - 1, 0), max(was_right - right, 0)
            share = (was_right + RIGHT_WORTH * RIGHT_SHARE) / (named + RIGHT_WORTH)
            values[reliability] = np.log(share / (1 - share))
            rows.append(values)
            labels.append(right)
    x, y = np.array(rows), np.array(labels)

    def loss(w):
        z = x @ w
        return np.mean(np.logaddexp(0, z) - y * z) + 1e-5 * w @ w, x.T @ (1 / (1 + np.exp(-z)) - y) / len(y) + 2e-5 * w

    return minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 2000}).x


def softmax_loss(w, groups, l2):
    total, gradient = 0.0, np.zeros_like(w)
    for x, y in groups:
        z = np.append(x @ w, 0.0)
        p = np.exp(z - z.max())
        p /= p.sum()
        right = np.append(y, 0.0 if y.any() else 1.0)
        mass = p @ right
        total -= np.log(mass)
        gradient -= x.T @ ((p * right / mass - p)[:-1])
    n = len(groups)
    return total / n + l2 * w @ w, gradient / n + 2 * l2 * w


def fit_phrases(texts, l2=2e-4):
    groups = {n: (np.array([v for _, _, v, _ in s]), np.array([r for r, *_ in s], float)) for n, s in texts.items()}
    even = [group for n, group in groups.items() if n % 2 == 0]
    start = np.zeros(even[0][0].shape[1])
    w = minimize(softmax_loss, start, args=(even, l2), jac=True, method="L-BFGS-B", options={"maxiter": 1000}).x
    for name, parity in (("even (fitted)", 0), ("odd (held out)", 1)):
        hits = np.zeros(3)
        held = [group for n, group in groups.items() if n % 2 == parity]
        for x, y in held:
            order = np.argsort(-(x @ w), kind="stable")
            hits += [y[order[:k]].any() for k in (1, 5, 10)]
        print(f"{name}: top 1/5/10 {np.round(100 * hits / len(held), 1)} of {len(held)}", file=sys.stderr)
    print_calibration(w, groups)
    return w


def probabilities(w, x):
    z = np.append(x @ w, 0.0)
    p = np.exp(z - z.max())
    return (p / p.sum())[:-1]


def print_calibration(w, groups):
    """Several codes of a phrase may be right (a category's children), so each is likelier than its share."""

    def table(parity):
        held = [group for n, group in groups.items() if n % 2 == parity]
        p = np.concatenate([probabilities(w, x) for x, _ in held])
        y = np.concatenate([y for _, y in held])
        p = np.clip(p, 1e-9, 1 - 1e-9)
        return np.log(p / (1 - p)), y

    logits, y = table(0)

    def loss(ab):
        z = ab[0] * logits + ab[1]
        return np.mean(np.logaddexp(0, z) - y * z)

    slope, offset = minimize(loss, np.array([1.0, 0.0])).x
    print(f"calibration: slope {slope:.3f}, offset {offset:.3f}", file=sys.stderr)
    logits, y = table(1)
    p = 1 / (1 + np.exp(-(slope * logits + offset)))
    for low in np.arange(0, 1, 0.1):
        inside = (p >= low) & (p < low + 0.1)
        if inside.any():
            print(f"  held out: said {p[inside].mean():.3f}, right {y[inside].mean():.3f} of {inside.sum()}", file=sys.stderr)


def main():
    kind, path = sys.argv[1:]
    names, texts = read(path)
    weights = fit_notes(names, texts) if kind == "notes" else fit_phrases(texts)
    for name, weight in zip(names, weights):
        print(f"{weight:8.3f}, // {name}")


main()
