#!/usr/bin/env python3
"""Writes made-up demand into a folder, a file for each shape: 24 days in steps of five minutes, Poisson noise on a mean of about 300.

    benches/demand_shapes.py DIR [SEED]
"""

import datetime
import math
import pathlib
import random
import sys

STEPS_A_DAY = 288
DAYS = 24
START = datetime.datetime(2026, 1, 5)


def flat(_):
    return 300


def noise(_):
    """Log-normal, anew in each step."""
    return 300 * math.exp(random.gauss(0, 0.3) - 0.045)


def walk():
    """A level that wanders."""
    level = 0.0

    def mean(_):
        nonlocal level
        level = 0.999 * level + random.gauss(0, 0.03)
        return 300 * math.exp(level)

    return mean


def shift(step):
    """Another level every three days."""
    return 150 if step // (3 * STEPS_A_DAY) % 2 == 0 else 450


def bursts():
    """Four times as much for an hour, at any time."""
    left = 0

    def mean(_):
        nonlocal left
        if random.random() < 1 / 200:
            left = 12
        left = max(0, left - 1)
        return 800 if left > 0 else 200

    return mean


def daily(step):
    return 300 * (1 + 0.7 * math.sin(2 * math.pi * step / STEPS_A_DAY))


def arrivals(mean):
    return max(0, round(random.gauss(mean, math.sqrt(mean))))


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    random.seed(int(sys.argv[2]) if len(sys.argv) == 3 else 7)
    shapes = {"flat": flat, "noise": noise, "walk": walk(), "shift": shift, "bursts": bursts(), "daily": daily}
    for name, mean in shapes.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8") as out:
            out.write("timestamp,value\n")
            for step in range(DAYS * STEPS_A_DAY):
                time = START + datetime.timedelta(minutes=5 * step)
                out.write(f"{time:%Y-%m-%d %H:%M:%S},{arrivals(mean(step))}\n")


if __name__ == "__main__":
    main()
