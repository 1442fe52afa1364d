//! How the planner names hours, weekdays, months and amounts.

use hysio_scaling::{
    capacity::{
        outlook::Long,
        pattern::{Cycle, HighSeason},
    },
    forecast::{Choice, Model},
};

pub const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
pub const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

pub fn slot(cycle: Cycle, at: usize) -> String {
    match cycle {
        Cycle::Day => format!("{at:02}:00"),
        Cycle::Week => WEEKDAYS[at % 7].to_owned(),
        Cycle::Year => MONTHS[at % 12].to_owned(),
    }
}

/// Runs are put together: `09:00–12:00, 15:00`.
pub fn slots(cycle: Cycle, slots: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for at in slots {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *at => *last = *at,
            _ => runs.push((*at, *at)),
        }
    }
    // December and January are neighbours, as Sunday and Monday are.
    let around = match cycle {
        Cycle::Day => 24,
        Cycle::Week => 7,
        Cycle::Year => 12,
    };
    if let [(0, end), .., (start, last)] = runs[..]
        && last + 1 == around
        && cycle != Cycle::Day
    {
        runs.pop();
        runs[0] = (start, end);
    }
    let run = |(first, last): (usize, usize)| match cycle {
        Cycle::Day => format!("{first:02}:00–{:02}:00", last + 1),
        _ if first == last => slot(cycle, first),
        _ => format!("{}–{}", slot(cycle, first), slot(cycle, last)),
    };
    runs.into_iter().map(run).collect::<Vec<_>>().join(", ")
}

pub fn season(season: &HighSeason) -> String {
    let name = if season.is_winter {
        "flu season"
    } else {
        "busy season"
    };
    let (from, to) = (MONTHS[(season.from - 1) % 12], MONTHS[(season.to - 1) % 12]);
    format!(
        "{name}: {from}–{to}, ×{:.2} of the other months",
        season.multiplier
    )
}

/// Growth with where it is at 90 % confidence.
pub fn growth(long: &Long) -> Option<String> {
    let growth = long.growth?;
    let interval = long.growth_interval.map_or(String::new(), |[low, high]| {
        format!(
            " (90 % between {:+.1} % and {:+.1} %)",
            100.0 * low,
            100.0 * high
        )
    });
    Some(format!("{:+.1} % a year{interval}", 100.0 * growth))
}

/// Three digits that matter, and no more decimals than they need.
pub fn amount(value: f64) -> String {
    let decimals = match value.abs() {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        value if value == value.round() => 0,
        _ => 2,
    };
    grouped(&format!("{value:.decimals$}"))
}

/// Thousands apart.
pub fn grouped(number: &str) -> String {
    let (whole, rest) = number
        .split_once('.')
        .map_or((number, String::new()), |(whole, rest)| {
            (whole, format!(".{rest}"))
        });
    let digits = whole.trim_start_matches('-');
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    let sign = if whole.starts_with('-') { "-" } else { "" };
    format!("{sign}{out}{rest}")
}

fn name(model: Model) -> String {
    model.as_str().replace('_', " ")
}

/// Which model is believed, and which are not.
pub fn choice(choice: &Choice) -> String {
    let chosen = choice
        .candidates
        .iter()
        .find(|it| it.model == choice.chosen);
    let Some((plan, score)) = choice.plan.zip(chosen.and_then(|it| it.score)) else {
        return format!(
            "{} is used; the history is too short to compare models on it",
            name(choice.chosen)
        );
    };
    let off: Vec<String> = choice
        .candidates
        .iter()
        .filter(|it| it.switched_off)
        .map(|it| name(it.model))
        .collect();
    let off = if off.is_empty() {
        String::new()
    } else {
        format!(
            "; switched off, as they lose to the seasonal naive: {}",
            off.join(", ")
        )
    };
    format!(
        "{} is used: best of {} over {} origins (WAPE {:.1} %, {:.1} % at or below P95){off}",
        name(choice.chosen),
        choice.candidates.len(),
        plan.origins,
        100.0 * score.wape,
        100.0 * score.coverage95
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_hours_are_put_together() {
        assert_eq!(
            slots(Cycle::Day, &[9, 10, 11, 15]),
            "09:00–12:00, 15:00–16:00"
        );
        assert_eq!(slots(Cycle::Week, &[0, 1, 4]), "Mon–Tue, Fri");
        assert_eq!(slots(Cycle::Year, &[0, 1, 2, 11]), "Dec–Mar");
    }

    #[test]
    fn amounts_show_what_matters() {
        for (value, text) in [
            (1_867_781.4, "1,867,781"),
            (12.34, "12.3"),
            (0.5, "0.50"),
            (3.0, "3"),
            (-1234.0, "-1,234"),
        ] {
            assert_eq!(amount(value), text);
        }
    }
}
