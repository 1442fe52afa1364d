//! The figures of an evaluation. Pure: outcomes in, numbers out, but for the process's own peak memory.
//!
//! A suggestion is exact if it is a gold code or lies below one; seventh characters are dropped. It is right by
//! category if the first three characters agree.

use std::{fmt, time::Duration};

use hysio_model::diagnosis::Suggestion;
use serde::Serialize;

/// Bins of the calibration error, equally wide.
const BINS: usize = 10;

/// One text: what was suggested against what is right.
pub(super) struct Outcome {
    gold: Vec<String>,
    suggested: Vec<Judged>,
    elapsed: Duration,
}

struct Judged {
    code: String,
    probability: f64,
    exact: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Figures {
    texts: usize,
    open_ms: f64,
    exact: TopN,
    category: TopN,
    recall_at_10: f64,
    recall_at_10_category: f64,
    at_threshold: Agreement,
    at_threshold_category: Agreement,
    calibration_error: f64,
    bins: Vec<Bin>,
    latency_ms: Latency,
    peak_memory_mb: Option<f64>,
}

#[derive(Debug, Serialize)]
struct TopN {
    at_1: f64,
    at_5: f64,
    at_10: f64,
}

#[derive(Debug, Serialize)]
struct Agreement {
    precision: f64,
    recall: f64,
    f1: f64,
}

#[derive(Debug, Serialize)]
struct Bin {
    suggestions: usize,
    said: f64,
    right: f64,
}

#[derive(Debug, Serialize)]
struct Latency {
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
}

impl Outcome {
    pub(super) fn new(
        gold: &[String],
        suggestions: &[Suggestion],
        system: &str,
        elapsed: Duration,
    ) -> Self {
        let gold: Vec<String> = gold.iter().map(|code| bare(code)).collect();
        let suggested = suggestions
            .iter()
            .map(|suggestion| {
                let code = comparable(&suggestion.code, system);
                Judged {
                    exact: gold.iter().any(|gold| code.starts_with(gold.as_str())),
                    code,
                    probability: suggestion.probability,
                }
            })
            .collect();
        Self {
            gold,
            suggested,
            elapsed,
        }
    }

    fn hit(&self, n: usize, right: impl Fn(&Judged) -> bool) -> bool {
        self.suggested.iter().take(n).any(right)
    }

    fn in_category(&self, code: &str) -> bool {
        self.gold
            .iter()
            .any(|gold| category(gold) == category(code))
    }

    /// How many gold codes the first `n` find.
    fn found(&self, judged: &[&Judged]) -> usize {
        self.gold
            .iter()
            .filter(|gold| {
                judged
                    .iter()
                    .any(|judged| judged.code.starts_with(gold.as_str()))
            })
            .count()
    }
}

impl Figures {
    pub(super) fn of(outcomes: &[Outcome], threshold: f64, opened: Duration) -> Self {
        let bins = bins(outcomes);
        Self {
            texts: outcomes.len(),
            open_ms: milliseconds(opened),
            exact: top_n(outcomes, |_, judged| judged.exact),
            category: top_n(outcomes, |outcome, judged| {
                outcome.in_category(&judged.code)
            }),
            recall_at_10: recall_at_10(outcomes, |outcome, first| {
                ratio(outcome.found(first), outcome.gold.len())
            }),
            recall_at_10_category: recall_at_10(outcomes, |outcome, first| {
                let wanted = categories(&outcome.gold);
                let found = wanted
                    .iter()
                    .filter(|wanted| {
                        first
                            .iter()
                            .any(|judged| category(&judged.code) == **wanted)
                    })
                    .count();
                ratio(found, wanted.len())
            }),
            at_threshold: agreement(outcomes, threshold),
            at_threshold_category: category_agreement(outcomes, threshold),
            calibration_error: calibration_error(&bins),
            bins,
            latency_ms: Latency::of(outcomes),
            peak_memory_mb: peak_memory_mb(),
        }
    }
}

fn top_n(outcomes: &[Outcome], right: impl Fn(&Outcome, &Judged) -> bool) -> TopN {
    let share = |n| {
        let hits = outcomes
            .iter()
            .filter(|outcome| outcome.hit(n, |judged| right(outcome, judged)))
            .count();
        ratio(hits, outcomes.len())
    };
    TopN {
        at_1: share(1),
        at_5: share(5),
        at_10: share(10),
    }
}

/// The mean over texts of the share of their codes that the first ten suggestions find.
fn recall_at_10(outcomes: &[Outcome], recall: impl Fn(&Outcome, &[&Judged]) -> f64) -> f64 {
    let sum: f64 = outcomes
        .iter()
        .map(|outcome| {
            recall(
                outcome,
                &outcome.suggested.iter().take(10).collect::<Vec<_>>(),
            )
        })
        .sum();
    sum / to_f64(outcomes.len())
}

/// Over all texts together (micro).
fn agreement(outcomes: &[Outcome], threshold: f64) -> Agreement {
    let (mut given, mut right, mut found, mut wanted) = (0, 0, 0, 0);
    for outcome in outcomes {
        let taken: Vec<&Judged> = taken(outcome, threshold);
        given += taken.len();
        right += taken.iter().filter(|judged| judged.exact).count();
        found += outcome.found(&taken);
        wanted += outcome.gold.len();
    }
    Agreement::of(ratio(right, given), ratio(found, wanted))
}

fn category_agreement(outcomes: &[Outcome], threshold: f64) -> Agreement {
    let (mut given, mut right, mut wanted) = (0, 0, 0);
    for outcome in outcomes {
        let codes: Vec<String> = taken(outcome, threshold)
            .iter()
            .map(|judged| judged.code.clone())
            .collect();
        let suggested = categories(&codes);
        let gold = categories(&outcome.gold);
        given += suggested.len();
        right += suggested
            .iter()
            .filter(|category| gold.contains(category))
            .count();
        wanted += gold.len();
    }
    Agreement::of(ratio(right, given), ratio(right, wanted))
}

impl Agreement {
    fn of(precision: f64, recall: f64) -> Self {
        let sum = precision + recall;
        Self {
            precision,
            recall,
            f1: if sum > 0.0 {
                2.0 * precision * recall / sum
            } else {
                0.0
            },
        }
    }
}

fn taken(outcome: &Outcome, threshold: f64) -> Vec<&Judged> {
    outcome
        .suggested
        .iter()
        .filter(|judged| judged.probability >= threshold)
        .collect()
}

fn bins(outcomes: &[Outcome]) -> Vec<Bin> {
    let judged: Vec<&Judged> = outcomes
        .iter()
        .flat_map(|outcome| &outcome.suggested)
        .collect();
    (0..BINS)
        .map(|bin| {
            let low = to_f64(bin) / to_f64(BINS);
            let high = to_f64(bin + 1) / to_f64(BINS);
            let inside: Vec<_> = judged
                .iter()
                .filter(|judged| {
                    judged.probability >= low && (judged.probability < high || bin + 1 == BINS)
                })
                .collect();
            let said: f64 = inside.iter().map(|judged| judged.probability).sum();
            Bin {
                suggestions: inside.len(),
                said: said / to_f64(inside.len().max(1)),
                right: ratio(
                    inside.iter().filter(|judged| judged.exact).count(),
                    inside.len(),
                ),
            }
        })
        .collect()
}

/// Expected calibration error: the mean distance of said and right, weighted by suggestions.
fn calibration_error(bins: &[Bin]) -> f64 {
    let all: usize = bins.iter().map(|bin| bin.suggestions).sum();
    bins.iter()
        .map(|bin| (bin.said - bin.right).abs() * ratio(bin.suggestions, all))
        .sum()
}

impl Latency {
    fn of(outcomes: &[Outcome]) -> Self {
        let mut times: Vec<f64> = outcomes
            .iter()
            .map(|outcome| milliseconds(outcome.elapsed))
            .collect();
        times.sort_by(f64::total_cmp);
        let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
        Self {
            p50: at(50),
            p95: at(95),
            p99: at(99),
            max: at(100),
        }
    }
}

/// Linux tells the peak of resident memory; elsewhere nothing is said.
fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}

/// Without dot; a seventh character is dropped, and of a DCSPH code what the rows of pathologies lack.
fn comparable(code: &str, system: &str) -> String {
    let bare = bare(code);
    if system == "DCSPH-pathology" {
        return bare[bare.len().saturating_sub(2)..].to_owned();
    }
    if bare.len() == 7 {
        return bare[..6].trim_end_matches('X').to_owned();
    }
    bare
}

fn bare(code: &str) -> String {
    code.replace('.', "")
}

fn category(code: &str) -> &str {
    code.get(..3).unwrap_or(code)
}

fn categories(codes: &[String]) -> Vec<&str> {
    let mut categories: Vec<&str> = codes.iter().map(|code| category(code)).collect();
    categories.sort_unstable();
    categories.dedup();
    categories
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        to_f64(part) / to_f64(whole)
    }
}

fn to_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| share * 100.0;
        writeln!(
            f,
            "{} texts, catalogue opened in {:.0} ms",
            self.texts, self.open_ms
        )?;
        for (name, top) in [("exact", &self.exact), ("category", &self.category)] {
            writeln!(
                f,
                "{name:<9} top 1 {:5.1} %   top 5 {:5.1} %   top 10 {:5.1} %",
                percent(top.at_1),
                percent(top.at_5),
                percent(top.at_10)
            )?;
        }
        writeln!(
            f,
            "recall@10 {:.1} % exact, {:.1} % by category",
            percent(self.recall_at_10),
            percent(self.recall_at_10_category)
        )?;
        for (name, agreement) in [
            ("exact", &self.at_threshold),
            ("category", &self.at_threshold_category),
        ] {
            writeln!(
                f,
                "taken     precision {:.1} %, recall {:.1} %, F1 {:.1} % ({name})",
                percent(agreement.precision),
                percent(agreement.recall),
                percent(agreement.f1)
            )?;
        }
        writeln!(f, "calibration error {:.3}", self.calibration_error)?;
        for bin in self.bins.iter().filter(|bin| bin.suggestions > 0) {
            writeln!(
                f,
                "          said {:5.1} %, right {:5.1} % of {}",
                percent(bin.said),
                percent(bin.right),
                bin.suggestions
            )?;
        }
        let latency = &self.latency_ms;
        write!(
            f,
            "latency   p50 {:.2} ms, p95 {:.2}, p99 {:.2}, max {:.2}; peak memory ",
            latency.p50, latency.p95, latency.p99, latency.max
        )?;
        match self.peak_memory_mb {
            Some(peak) => write!(f, "{peak:.0} MB"),
            None => f.write_str("not known on this system"),
        }
    }
}
