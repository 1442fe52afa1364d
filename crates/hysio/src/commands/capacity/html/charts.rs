//! The report's charts: the day, the week, the year, the days and months ahead, capacity against demand, and cost.

use hysio_scaling::{
    capacity::{
        outlook::{Long, Settings, Short, in_planning_steps},
        pattern::{Cycle, Pattern},
    },
    forecast::Ahead,
    series::{Combine, MONTH, Series},
};
use jiff::civil::DateTime;

use super::chart::{BLUE, Chart, GREEN, GREY, Layer, ORANGE, SKY, Shape, VERMILLION};
use crate::commands::capacity::words;

/// The shape of one cycle; `None` where it is not known.
pub fn pattern(pattern: &Pattern) -> Option<Chart> {
    if pattern.unknown.is_some() {
        return None;
    }
    let (title, every) = match pattern.cycle {
        Cycle::Day => ("The day", (pattern.slots.len() / 8).max(1)),
        Cycle::Week => ("The week", 1),
        Cycle::Year => ("The year", 1),
    };
    let place = |at: usize| match pattern.cycle {
        Cycle::Day => format!("{:02}:00", at * 24 / pattern.slots.len()),
        Cycle::Week | Cycle::Year => words::slot(pattern.cycle, at),
    };
    let column = |of: fn(&hysio_scaling::capacity::pattern::Slot) -> f64| {
        pattern.slots.iter().map(of).collect::<Vec<_>>()
    };
    let highest = (0..pattern.slots.len())
        .max_by(|a, b| pattern.slots[*a].mean.total_cmp(&pattern.slots[*b].mean))
        .unwrap_or(0);
    Some(Chart {
        title: title.to_owned(),
        unit: "demand a step: mean, with 90 % of all values".to_owned(),
        summary: format!(
            "The highest mean is {} at {}",
            words::amount(pattern.slots[highest].mean),
            place(highest)
        ),
        places: (0..pattern.slots.len()).map(place).collect(),
        ticks: (0..pattern.slots.len())
            .step_by(every)
            .map(|at| (at, place(at)))
            .collect(),
        layers: vec![
            layer(
                "mean",
                SKY,
                Shape::Bars {
                    values: column(|it| it.mean),
                    marked: pattern.peaks.clone(),
                },
            ),
            layer(
                "5th to 95th percentile",
                GREY,
                Shape::Whiskers {
                    low: column(|it| it.p05),
                    high: column(|it| it.p95),
                },
            ),
        ],
    })
}

/// The days ahead behind the last days of the history.
pub fn days(short: &Short, series: &Series) -> Chart {
    let series = in_planning_steps(series);
    let past = series.tail(short.points.len() * 2);
    let mut times: Vec<DateTime> = (0..past.len()).map(|at| past.local_time(at)).collect();
    times.extend(short.points.iter().map(|point| point.at));
    let ahead: Vec<Ahead> = short.points.iter().map(|point| point.demand).collect();
    let most = ahead.iter().map(Ahead::p95).fold(0.0, f64::max);
    Chart {
        title: "Forecast of the days ahead".to_owned(),
        unit: format!("demand in steps of {}", short.step),
        summary: format!("The 95th percentile goes up to {}", words::amount(most)),
        places: times
            .iter()
            .map(|time| time.strftime("%a %d %b %H:%M").to_string())
            .collect(),
        ticks: day_ticks(&times),
        layers: fan(past.values(), &ahead),
    }
}

/// The months ahead behind the last three years.
pub fn months(long: &Long, series: &Series) -> Chart {
    let monthly = in_planning_steps(series)
        .with_combine(Combine::Mean)
        .in_steps_of(MONTH);
    let past = monthly.tail(36);
    let mut dates: Vec<DateTime> = (0..past.len()).map(|at| past.local_time(at)).collect();
    dates.extend(long.months.iter().map(|month| month.month.at(0, 0, 0, 0)));
    let ahead: Vec<Ahead> = long.months.iter().map(|month| month.demand).collect();
    let most = ahead.iter().map(Ahead::p95).fold(0.0, f64::max);
    let every = dates.len().div_ceil(7).max(1);
    Chart {
        title: "Forecast of the months ahead".to_owned(),
        unit: "mean demand a step".to_owned(),
        summary: format!("The 95th percentile goes up to {}", words::amount(most)),
        places: dates
            .iter()
            .map(|date| date.strftime("%b %Y").to_string())
            .collect(),
        ticks: dates
            .iter()
            .enumerate()
            .step_by(every)
            .map(|(at, date)| (at, date.strftime("%b %Y").to_string()))
            .collect(),
        layers: fan(past.values(), &ahead),
    }
}

pub fn capacity_of_days(short: &Short, settings: &Settings) -> Chart {
    let times: Vec<DateTime> = short.points.iter().map(|point| point.at).collect();
    let carried = short
        .points
        .iter()
        .map(|point| f64::from(point.instances) * settings.per_instance);
    Chart {
        title: "Capacity against demand, days ahead".to_owned(),
        unit: format!(
            "demand; an instance carries {}",
            words::amount(settings.per_instance)
        ),
        summary: format!(
            "Between {} and {} instances",
            short
                .points
                .iter()
                .map(|it| it.instances)
                .min()
                .unwrap_or(0),
            short.most_instances
        ),
        places: times
            .iter()
            .map(|time| time.strftime("%a %d %b %H:%M").to_string())
            .collect(),
        ticks: day_ticks(&times),
        layers: vec![
            layer(
                "capacity",
                GREEN,
                Shape::Steps {
                    values: carried.collect(),
                },
            ),
            layer(
                "demand, P95",
                BLUE,
                Shape::Line {
                    values: short.points.iter().map(|it| it.demand.p95()).collect(),
                    dashed: true,
                },
            ),
            layer(
                "demand, median",
                BLUE,
                Shape::Line {
                    values: short.points.iter().map(|it| it.demand.p50()).collect(),
                    dashed: false,
                },
            ),
        ],
    }
}

pub fn capacity_of_months(long: &Long, settings: &Settings) -> Chart {
    let mut layers = vec![
        layer(
            "instances needed",
            GREEN,
            Shape::Bars {
                values: long
                    .months
                    .iter()
                    .map(|it| f64::from(it.instances))
                    .collect(),
                marked: Vec::new(),
            },
        ),
        layer(
            "busy hours need",
            BLUE,
            Shape::Line {
                values: long
                    .months
                    .iter()
                    .map(|it| it.peak / settings.per_instance)
                    .collect(),
                dashed: false,
            },
        ),
    ];
    if let Some(quota) = settings.quota {
        layers.push(layer(
            &format!("quota: {quota}"),
            VERMILLION,
            Shape::Rule(f64::from(quota)),
        ));
    }
    by_month(
        long,
        "Capacity against demand, months ahead",
        "instances",
        layers,
    )
}

pub fn cost(long: &Long, settings: &Settings) -> Chart {
    let mut layers = vec![layer(
        "cost",
        SKY,
        Shape::Bars {
            values: long.months.iter().map(|it| it.cost).collect(),
            marked: Vec::new(),
        },
    )];
    if let Some(budget) = settings.budget {
        layers.push(layer(
            &format!("budget: {}", words::amount(budget)),
            VERMILLION,
            Shape::Rule(budget),
        ));
    }
    by_month(
        long,
        "Cost",
        &format!("{} a month", settings.prices.currency),
        layers,
    )
}

fn by_month(long: &Long, title: &str, unit: &str, layers: Vec<Layer>) -> Chart {
    let name = |at: usize| long.months[at].month.strftime("%b %Y").to_string();
    let every = long.months.len().div_ceil(12);
    Chart {
        title: title.to_owned(),
        unit: unit.to_owned(),
        summary: format!("{} months", long.months.len()),
        places: (0..long.months.len()).map(name).collect(),
        ticks: (0..long.months.len())
            .step_by(every)
            .map(|at| (at, long.months[at].month.strftime("%b").to_string()))
            .collect(),
        layers,
    }
}

/// What was, and then the median in its spread.
fn fan(past: &[f64], ahead: &[Ahead]) -> Vec<Layer> {
    let after = |of: fn(&Ahead) -> f64| {
        let unknown = std::iter::repeat_n(f64::NAN, past.len());
        unknown.chain(ahead.iter().map(of)).collect::<Vec<f64>>()
    };
    let mut before = past.to_vec();
    before.extend(std::iter::repeat_n(f64::NAN, ahead.len()));
    vec![
        layer(
            "5th to 95th percentile",
            SKY,
            Shape::Band {
                low: after(Ahead::p05),
                high: after(Ahead::p95),
            },
        ),
        layer(
            "99th percentile",
            ORANGE,
            Shape::Line {
                values: after(Ahead::p99),
                dashed: true,
            },
        ),
        layer(
            "median",
            BLUE,
            Shape::Line {
                values: after(Ahead::p50),
                dashed: false,
            },
        ),
        layer(
            "history",
            GREY,
            Shape::Line {
                values: before,
                dashed: false,
            },
        ),
    ]
}

pub fn layer(name: &str, colour: &'static str, shape: Shape) -> Layer {
    Layer {
        name: name.to_owned(),
        colour,
        shape,
    }
}

/// Where days begin, or every few places where a place is a day.
fn day_ticks(times: &[DateTime]) -> Vec<(usize, String)> {
    let starts: Vec<usize> = (0..times.len())
        .filter(|at| times[*at].hour() == 0 && times[*at].minute() == 0)
        .collect();
    let every = starts.len().div_ceil(8).max(1);
    starts
        .into_iter()
        .step_by(every)
        .map(|at| (at, times[at].strftime("%a %d %b").to_string()))
        .collect()
}
