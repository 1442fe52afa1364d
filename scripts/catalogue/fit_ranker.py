#!/usr/bin/env python3
"""Fits the weights of the ranking of phrases, and the calibration of their probabilities.

fit_ranker.py TABLE…

The tables come from `cargo run -p hysio-clinical --example ranking_table CATALOGUE ROWS.jsonl 100`, one with and one without
the alphabetical index. The score of a phrase is a softmax over its suggestions and the possibility that none is right.
First reports five-fold cross-validation (folds are runs of rows, as neighbouring rows name the same disease), then prints
the weights fitted on all rows, in the order of the features, for the Rust source. Needs numpy and scipy.
"""

import sys
from collections import defaultdict

import numpy as np
from scipy.optimize import minimize

FOLDS = 5
L2 = 2e-4
# Log-odds of a suggestion's share between which its probability is interpolated, as in phrase.rs.
KNOTS = np.array([-8.0, -6.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.5, 6.0])


def read(path):
    names, texts = None, defaultdict(list)
    for line in open(path, encoding="utf-8"):
        number, _code, right, _near, _gold, *features = line.rstrip("\n").split("\t")
        own = [feature.split("=")[0] for feature in features]
        names = names or own
        if own == names:  # else a text that was read as a note
            texts[int(number)].append((int(right), [float(feature.split("=")[1]) for feature in features]))
    groups = {n: (np.array([v for _, v in s]), np.array([r for r, _ in s], float)) for n, s in texts.items()}
    return names, groups


def softmax_loss(w, groups):
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
    return total / n + L2 * w @ w, gradient / n + 2 * L2 * w


def fit(groups):
    start = np.zeros(groups[0][0].shape[1])
    return minimize(softmax_loss, start, args=(groups,), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x


def shares(w, groups):
    """Log-odds of each suggestion's share of the softmax, and whether it is right."""
    logits, right = [], []
    for x, y in groups:
        z = np.append(x @ w, 0.0)
        p = np.exp(z - z.max())
        p = np.clip((p / p.sum())[:-1], 1e-6, 1 - 1e-6)
        logits.append(np.log(p / (1 - p)))
        right.append(y)
    return np.concatenate(logits), np.concatenate(right)


def calibrate(logits, right):
    """Rising log-odds of being right at each knot."""
    at = np.clip(logits, KNOTS[0], KNOTS[-1])
    low = np.clip(np.searchsorted(KNOTS, at, side="right") - 1, 0, len(KNOTS) - 2)
    part = (at - KNOTS[low]) / (KNOTS[low + 1] - KNOTS[low])

    def loss(steps):
        values = np.cumsum(np.concatenate([steps[:1], np.exp(steps[1:])]))
        z = values[low] * (1 - part) + values[low + 1] * part
        return np.mean(np.logaddexp(0, z) - right * z)

    start = np.concatenate([KNOTS[:1], np.log(np.diff(KNOTS))])
    steps = minimize(loss, start, method="L-BFGS-B", options={"maxiter": 500}).x
    return np.cumsum(np.concatenate([steps[:1], np.exp(steps[1:])]))


def report(tables):
    hits, pooled = [np.zeros(3) for _ in tables], [[], []]
    rows = 1 + max(max(groups) for groups in tables)
    for fold in range(FOLDS):
        inside = range(rows * fold // FOLDS, rows * (fold + 1) // FOLDS)
        train = [group for groups in tables for n, group in groups.items() if n not in inside]
        w = fit(train)
        calibration = calibrate(*shares(w, train))
        for of_table, groups in zip(hits, tables):
            held = [group for n, group in groups.items() if n in inside]
            for x, y in held:
                order = np.argsort(-(x @ w), kind="stable")
                of_table += [y[order[:k]].any() for k in (1, 5, 10)]
            logits, right = shares(w, held)
            pooled[0].append(1 / (1 + np.exp(-np.interp(logits, KNOTS, calibration))))
            pooled[1].append(right)
    for number, of_table in enumerate(hits):
        print(f"held out, table {number + 1}: top 1/5/10 {np.round(100 * of_table / rows, 1)}", file=sys.stderr)
    p, right = map(np.concatenate, pooled)
    for low in np.arange(0, 1, 0.1):
        inside = (p >= low) & (p < low + 0.1)
        if inside.any():
            print(f"  said {p[inside].mean():.3f}, right {right[inside].mean():.3f} of {inside.sum()}", file=sys.stderr)


def main():
    names, tables = None, []
    for path in sys.argv[1:]:
        names, groups = read(path)
        tables.append(groups)
    report(tables)
    everything = [group for groups in tables for group in groups.values()]
    w = fit(everything)
    for name, weight in zip(names, w):
        print(f"{weight:8.3f}, // {name}")
    for knot, value in zip(KNOTS, calibrate(*shares(w, everything))):
        print(f"({knot}, {value:.3f}),")


main()
