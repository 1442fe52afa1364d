//! What goes wrong in a replay, as it is said on a command line: `metric-outage`, `pandemic@2d+12h`, `lost-zone@30h=0.5`.

use std::str::FromStr;

use super::world::{Chaos, Kind, TICK_SECONDS};

/// A fault and, where they are said, when it begins, how long it holds and how bad it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    what: What,
    from_seconds: Option<f64>,
    seconds: Option<f64>,
    size: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    MetricOutage,
    SlowStarts,
    QuotaHit,
    LostZone,
    Pandemic,
}

const KINDS: [(&str, What); 5] = [
    ("metric-outage", What::MetricOutage),
    ("slow-starts", What::SlowStarts),
    ("quota-hit", What::QuotaHit),
    ("lost-zone", What::LostZone),
    ("pandemic", What::Pandemic),
];

const MINUTES: f64 = 60.0;
const HOURS: f64 = 3600.0;
/// Longer than any replay.
const TO_THE_END: f64 = 1e9;

impl What {
    /// How long it holds and how bad it is, if not said.
    fn usual(self) -> (f64, f64) {
        match self {
            Self::MetricOutage => (30.0 * MINUTES, 1.0),
            Self::SlowStarts => (6.0 * HOURS, 5.0),
            Self::QuotaHit => (HOURS, 0.0),
            Self::LostZone => (TICK_SECONDS, 1.0 / 3.0),
            Self::Pandemic => (TO_THE_END, 3.0),
        }
    }

    fn is_fine(self, size: f64) -> Result<(), &'static str> {
        match self {
            Self::MetricOutage => Err("metric-outage has no size"),
            Self::LostZone if !(size > 0.0 && size <= 1.0) => {
                Err("lost-zone is a share of the replicas, above 0 and up to 1")
            }
            Self::QuotaHit if size.fract() != 0.0 => Err("quota-hit is a whole number of replicas"),
            Self::SlowStarts | Self::Pandemic if size <= 0.0 => Err("a factor is above 0"),
            Self::SlowStarts | Self::QuotaHit | Self::LostZone | Self::Pandemic => Ok(()),
        }
    }
}

impl Fault {
    /// All of them, each with its usual size, one after another: each begins at its own part of the run.
    #[must_use]
    pub fn all() -> Vec<Self> {
        KINDS
            .iter()
            .map(|(_, what)| Self {
                what: *what,
                from_seconds: None,
                seconds: None,
                size: None,
            })
            .collect()
    }

    /// What it does to a run of so many ticks. Without a time it begins in the middle, or spread with the others over the run. A quota
    /// without a size is the count at the start.
    #[must_use]
    pub fn chaos(faults: &[Self], ticks: u32, at_start: u32) -> Vec<Chaos> {
        let unplaced = faults.iter().filter(|it| it.from_seconds.is_none()).count();
        let mut placed = 0;
        let place = |fault: &Self| {
            let (length, size) = fault.what.usual();
            let size = fault.size.unwrap_or(size);
            let from = fault.from_seconds.unwrap_or_else(|| {
                placed += 1;
                f64::from(ticks) * TICK_SECONDS * f64::from(placed) / (unplaced + 1) as f64
            });
            let kind = match fault.what {
                What::MetricOutage => Kind::MetricOutage,
                What::SlowStarts => Kind::SlowStarts(size),
                What::QuotaHit if size > 0.0 => Kind::QuotaHit(size as u32),
                What::QuotaHit => Kind::QuotaHit(at_start),
                What::LostZone => Kind::LostZone(size),
                What::Pandemic => Kind::Surge(size),
            };
            Chaos {
                from: (from / TICK_SECONDS) as u32,
                ticks: (fault.seconds.unwrap_or(length) / TICK_SECONDS).ceil() as u32,
                kind,
            }
        };
        faults.iter().map(place).collect()
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (rest, size) = split(text, '=');
        let (rest, length) = split(rest, '+');
        let (name, from) = split(rest, '@');
        let what = KINDS.iter().find(|(known, _)| *known == name);
        let what = what.map(|(_, what)| *what).ok_or_else(|| {
            let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
            format!(
                "{name:?} is no fault: use one of {}, with @WHEN, +HOW LONG and =SIZE, such as pandemic@2d+12h=3",
                names.join(", ")
            )
        })?;
        let size = match size {
            None => None,
            Some(size) => {
                let number: f64 = size
                    .parse()
                    .map_err(|_| format!("{size:?} in {text:?} is no number"))?;
                what.is_fine(number)
                    .map_err(|why| format!("{text:?}: {why}"))?;
                Some(number)
            }
        };
        Ok(Self {
            what,
            from_seconds: from.map(seconds).transpose()?,
            seconds: length.map(seconds).transpose()?,
            size,
        })
    }
}

fn split(text: &str, by: char) -> (&str, Option<&str>) {
    text.split_once(by)
        .map_or((text, None), |(before, after)| (before, Some(after)))
}

fn seconds(text: &str) -> Result<f64, String> {
    let step: hysio_scaling::series::Step = text.parse()?;
    Ok(step.days() * 86_400.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chaos(text: &str) -> Chaos {
        let fault = text.parse().expect("it is one");
        Fault::chaos(&[fault], 5760, 7)[0]
    }

    #[test]
    fn a_fault_is_said_with_when_how_long_and_how_bad() {
        let got = chaos("pandemic@6h+90m=2.5");
        assert_eq!(
            (got.from, got.ticks, got.kind),
            (1440, 360, Kind::Surge(2.5))
        );
        let got = chaos("quota-hit");
        assert_eq!(
            (got.from, got.ticks, got.kind),
            (2880, 240, Kind::QuotaHit(7))
        );
        assert_eq!(chaos("lost-zone=0.5").kind, Kind::LostZone(0.5));
        assert_eq!(Fault::chaos(&Fault::all(), 6000, 7)[4].from, 5000);
    }

    #[test]
    fn what_is_no_fault_is_refused_with_the_way_out() {
        for (text, word) in [
            ("fire", "metric-outage"),
            ("pandemic@noon", "48h"),
            ("lost-zone=2", "share"),
            ("metric-outage=2", "no size"),
            ("slow-starts=fast", "no number"),
        ] {
            let error = text.parse::<Fault>().unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
