#!/usr/bin/env python3
"""Scores Prophet and statsforecast at the rolling origins of `hysio evaluate forecast`, on the same trace.

usage: capacity_peer.py TRACE.csv --window STEPS --horizon STEPS --origins N
       capacity_peer.py --arrivals FILE      writes a year of simulated hourly emergency arrivals
"""

import argparse
import csv
import json
import logging
import math
import random
import time
import warnings
from datetime import datetime, timedelta

HOURS = [.55, .45, .38, .33, .31, .34, .45, .68, 1.0, 1.35, 1.55, 1.62, 1.58, 1.52, 1.47, 1.45, 1.47, 1.5, 1.5, 1.42, 1.3, 1.12, .92, .72]
WEEKDAYS = [1.12, 1.0, .98, .98, .97, .97, .98]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("trace", nargs="?")
    parser.add_argument("--window", type=int, default=1344)
    parser.add_argument("--horizon", type=int, default=48)
    parser.add_argument("--origins", type=int, default=12)
    parser.add_argument("--arrivals")
    arguments = parser.parse_args()
    if arguments.arrivals:
        return write_arrivals(arguments.arrivals)
    warnings.filterwarnings("ignore")
    logging.disable(logging.ERROR)
    with open(arguments.trace) as file:
        rows = list(csv.reader(file))[1:]
    times = [row[0] for row in rows]
    values = [float(row[1]) for row in rows]
    ends = list(origins(len(values), arguments))
    models = [("Prophet", prophet), ("statsforecast MSTL + ETS", mstl)]
    if len(rows[0]) > 2:
        models.append(("what no model can beat: the rates the arrivals were drawn from", knowing(times, [float(row[2]) for row in rows])))
    for name, model in models:
        print(json.dumps({"model": name, **score(model, times, values, ends, arguments)}), flush=True)


def origins(length, arguments):
    """As `Plan::fit` and `Plan::ends` have them."""
    room = length - arguments.window - arguments.horizon
    every = max(room // max(arguments.origins - 1, 1), 1)
    count = min(room // every + 1, max(arguments.origins, 1))
    last = length - arguments.horizon
    return (last - back * every for back in reversed(range(count)))


def score(model, times, values, ends, arguments):
    errors = total = pinball = covered = points = seconds = 0
    for end in ends:
        history = slice(end - arguments.window, end)
        started = time.perf_counter()
        median, high = model(times[history], values[history], arguments.horizon)
        seconds += time.perf_counter() - started
        for came, middle, top in zip(values[end:], median, high):
            points += 1
            errors += abs(came - middle)
            total += came
            pinball += max(0.95 * (came - top), 0.05 * (top - came))
            covered += came <= top
    return {
        "wape": errors / total,
        "pinball95": pinball / points,
        "coverage95": covered / points,
        "milliseconds_a_fit": 1e3 * seconds / len(ends),
        "origins": len(ends),
    }


def prophet(times, values, horizon):
    import pandas
    from prophet import Prophet

    model = Prophet(interval_width=0.9, yearly_seasonality=False, weekly_seasonality=True, daily_seasonality=True)
    model.fit(pandas.DataFrame({"ds": pandas.to_datetime(times), "y": values}))
    future = model.make_future_dataframe(periods=horizon, freq="h", include_history=False)
    forecast = model.predict(future)
    return list(forecast["yhat"]), list(forecast["yhat_upper"])


def mstl(times, values, horizon):
    import numpy
    from statsforecast.models import MSTL, AutoETS

    model = MSTL(season_length=[24, 168], trend_forecaster=AutoETS(model="ZZN"))
    forecast = model.forecast(y=numpy.array(values), h=horizon, level=[90])
    return list(forecast["mean"]), list(forecast["hi-90"])


def knowing(times, rates):
    place = {time: index for index, time in enumerate(times)}

    def model(known, _values, horizon):
        ahead = rates[place[known[-1]] + 1 :][:horizon]
        return [quantile(rate, 0.5) for rate in ahead], [quantile(rate, 0.95) for rate in ahead]

    return model


def quantile(mean, share):
    """Of a Poisson distribution."""
    count, chance = 0, math.exp(-mean)
    below = chance
    while below < share:
        count += 1
        chance *= mean / count
        below += chance
    return count


def write_arrivals(file):
    """Poisson arrivals, 6 an hour, with a day, a week whose weekends have another day, and a slight year; and their rates."""
    source = random.Random(1)
    average = sum(HOURS) / 24
    with open(file, "w") as out:
        out.write("timestamp,arrivals,rate\n")
        for day in range(365):
            for hour in range(24):
                at = datetime(2023, 1, 2) + timedelta(days=day, hours=hour)
                rate = 6 * HOURS[hour] / average * WEEKDAYS[at.weekday()] * math.exp(0.05 * math.sin(2 * math.pi * day / 365.25))
                if at.weekday() >= 5:
                    rate *= (1.25 if hour < 4 else 1) * (0.85 if 7 <= hour < 11 else 1)
                out.write(f"{at},{poisson(rate, source)},{rate:.4f}\n")


def poisson(mean, source):
    limit, product, count = math.exp(-mean), source.random(), 0
    while product > limit:
        product *= source.random()
        count += 1
    return count


if __name__ == "__main__":
    main()
