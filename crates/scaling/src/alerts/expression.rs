//! As much of PromQL as is needed without Prometheus: the metrics that an expression names, and aggregations of one selector
//! held against a number. Everything else is Prometheus' to evaluate and promtool's to check.

use std::collections::{BTreeMap, BTreeSet};

use super::token::{Token, tokens};

type Labels = BTreeMap<String, String>;

const AGGREGATORS: [&str; 4] = ["sum", "max", "min", "avg"];
const GROUPING: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];
const OTHER_WORDS: [&str; 9] = [
    "offset", "bool", "and", "or", "unless", "atan2", "inf", "nan", "start",
];

/// `sum(max by (a) (metric{b="c"})) > 5`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Comparison {
    vector: Vector,
    sign: String,
    pub threshold: f64,
}

#[derive(Clone, Debug, PartialEq)]
enum Vector {
    Selector(Selector),
    Aggregate {
        how: String,
        /// None: into one value. Else the labels that stay.
        by: Vec<String>,
        of: Box<Vector>,
    },
}

#[derive(Clone, Debug, PartialEq)]
struct Selector {
    metric: String,
    /// Label, whether it must be equal (or else unequal), and the text.
    matchers: Vec<(String, bool, String)>,
}

impl Comparison {
    /// None: not of the shape.
    pub fn parse(expression: &str) -> Option<Self> {
        let tokens = tokens(expression)?;
        let mut reader = Reader(&tokens);
        let vector = reader.vector()?;
        let sign = reader.sign(&[">", ">=", "<", "<=", "==", "!="])?;
        let threshold = reader.number()?;
        reader.0.is_empty().then_some(Self {
            vector,
            sign,
            threshold,
        })
    }

    pub fn metric(&self) -> &str {
        let mut vector = &self.vector;
        loop {
            match vector {
                Vector::Selector(selector) => return &selector.metric,
                Vector::Aggregate { of, .. } => vector = of,
            }
        }
    }

    /// Whether these are the signal of one of its series.
    pub fn selects(&self, signal: &str) -> bool {
        let mut vector = &self.vector;
        while let Vector::Aggregate { of, .. } = vector {
            vector = of;
        }
        let Vector::Selector(selector) = vector else {
            return false;
        };
        // Most signals are of other metrics, and are not worth reading to the end.
        signal.starts_with(&selector.metric)
            && series(signal).is_some_and(|(metric, labels)| selector.matches(&metric, &labels))
    }

    /// The first value that meets the comparison, of readings by signal.
    pub fn met<'a>(&self, readings: impl Iterator<Item = (&'a str, f64)>) -> Option<f64> {
        let all: Vec<(String, Labels, f64)> = readings
            .filter_map(|(signal, value)| {
                let (metric, labels) = series(signal)?;
                Some((metric, labels, value))
            })
            .collect();
        let values = evaluate(&self.vector, &all);
        values
            .into_iter()
            .map(|(_, value)| value)
            .find(|value| match self.sign.as_str() {
                ">" => *value > self.threshold,
                ">=" => *value >= self.threshold,
                "<" => *value < self.threshold,
                "<=" => *value <= self.threshold,
                "==" => (value - self.threshold).abs() <= f64::EPSILON,
                _ => (value - self.threshold).abs() > f64::EPSILON,
            })
    }
}

impl Selector {
    fn matches(&self, metric: &str, labels: &Labels) -> bool {
        let empty = String::new();
        metric == self.metric
            && self
                .matchers
                .iter()
                .all(|(label, equal, text)| (labels.get(label).unwrap_or(&empty) == text) == *equal)
    }
}

fn evaluate(vector: &Vector, all: &[(String, Labels, f64)]) -> Vec<(Labels, f64)> {
    let (how, by, of) = match vector {
        Vector::Selector(selector) => {
            return all
                .iter()
                .filter(|(metric, labels, _)| selector.matches(metric, labels))
                .map(|(_, labels, value)| (labels.clone(), *value))
                .collect();
        }
        Vector::Aggregate { how, by, of } => (how, by, of),
    };
    let mut groups: BTreeMap<Labels, Vec<f64>> = BTreeMap::new();
    for (labels, value) in evaluate(of, all) {
        let kept = labels
            .into_iter()
            .filter(|(label, _)| by.contains(label))
            .collect();
        groups.entry(kept).or_default().push(value);
    }
    groups
        .into_iter()
        .map(|(labels, values)| (labels, aggregate(how, &values)))
        .collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a snapshot has far fewer than 2^52 series"
)]
fn aggregate(how: &str, values: &[f64]) -> f64 {
    match how {
        "max" => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        "min" => values.iter().copied().fold(f64::INFINITY, f64::min),
        "avg" => values.iter().sum::<f64>() / values.len() as f64,
        _ => values.iter().sum(),
    }
}

/// A signal's name as metric and labels.
fn series(signal: &str) -> Option<(String, Labels)> {
    let tokens = tokens(signal)?;
    let mut reader = Reader(&tokens);
    let selector = reader.selector()?;
    let labels = selector
        .matchers
        .into_iter()
        .map(|(label, _, text)| (label, text));
    reader
        .0
        .is_empty()
        .then(|| (selector.metric, labels.collect()))
}

/// The metrics that an expression names; none for text that is no expression.
pub(super) fn metrics(expression: &str) -> BTreeSet<String> {
    let tokens = tokens(expression).unwrap_or_default();
    let mut names = BTreeSet::new();
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        let next = tokens.get(index + 1);
        let opens = next == Some(&Token::Sign("(".to_owned()));
        match token {
            Token::Word(word) if opens && GROUPING.contains(&word.as_str()) => {
                index = closing(&tokens, index, ")");
            }
            Token::Word(word) if GROUPING.contains(&word.as_str()) => {}
            Token::Word(word) => {
                let grouped =
                    matches!(next, Some(Token::Word(next)) if GROUPING.contains(&next.as_str()));
                if !opens && !grouped && !OTHER_WORDS.contains(&word.to_lowercase().as_str()) {
                    names.insert(word.clone());
                }
            }
            Token::Sign(sign) if sign == "{" => index = closing(&tokens, index, "}"),
            _ => {}
        }
        index += 1;
    }
    names
}

fn closing(tokens: &[Token], from: usize, sign: &str) -> usize {
    let found = tokens[from..]
        .iter()
        .position(|token| *token == Token::Sign(sign.to_owned()));
    found.map_or(tokens.len(), |position| from + position)
}

/// Takes tokens from the front.
struct Reader<'a>(&'a [Token]);

impl Reader<'_> {
    fn vector(&mut self) -> Option<Vector> {
        let Some(Token::Word(how)) = self.0.first() else {
            return None;
        };
        if !AGGREGATORS.contains(&how.as_str()) {
            return self.selector().map(Vector::Selector);
        }
        let how = how.clone();
        self.0 = &self.0[1..];
        let before = self.by()?;
        self.sign(&["("])?;
        let of = Box::new(self.vector()?);
        self.sign(&[")"])?;
        let by = before.or(self.by()?).unwrap_or_default();
        Some(Vector::Aggregate { how, by, of })
    }

    /// Outer none: not of the shape; inner none: there is none.
    fn by(&mut self) -> Option<Option<Vec<String>>> {
        match self.0.first() {
            Some(Token::Word(word)) if word == "by" => self.0 = &self.0[1..],
            _ => return Some(None),
        }
        self.sign(&["("])?;
        let mut labels = Vec::new();
        loop {
            if let Some(Token::Word(word)) = self.0.first() {
                labels.push(word.clone());
                self.0 = &self.0[1..];
            }
            if self.sign(&[")", ","])? == ")" {
                return Some(Some(labels));
            }
        }
    }

    fn selector(&mut self) -> Option<Selector> {
        let metric = self.word()?;
        let mut matchers = Vec::new();
        if self.sign(&["{"]).is_none() {
            return Some(Selector { metric, matchers });
        }
        loop {
            if self.sign(&["}"]).is_some() {
                return Some(Selector { metric, matchers });
            }
            let label = self.word()?;
            let equal = self.sign(&["=", "!="])? == "=";
            let Some(Token::Text(text)) = self.0.first() else {
                return None;
            };
            matchers.push((label, equal, text.clone()));
            self.0 = &self.0[1..];
            if self.sign(&[","]).is_none() && self.0.first() != Some(&Token::Sign("}".to_owned())) {
                return None;
            }
        }
    }

    fn word(&mut self) -> Option<String> {
        let (Token::Word(word), rest) = self.0.split_first()? else {
            return None;
        };
        self.0 = rest;
        Some(word.clone())
    }

    fn sign(&mut self, signs: &[&str]) -> Option<String> {
        let (Token::Sign(sign), rest) = self.0.split_first()? else {
            return None;
        };
        signs.contains(&sign.as_str()).then(|| {
            self.0 = rest;
            sign.clone()
        })
    }

    fn number(&mut self) -> Option<f64> {
        let negative = self.sign(&["-"]).is_some();
        let (Token::Number(text), rest) = self.0.split_first()? else {
            return None;
        };
        self.0 = rest;
        let number: f64 = text.parse().ok()?;
        Some(if negative { -number } else { number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simple_shape_is_recognised_and_nothing_else_is() {
        for (text, simple) in [
            ("up == 0", true),
            (
                "hysio_queue_depth{queue=\"transcription\",state=\"ready\"} > 50",
                true,
            ),
            (
                "sum(max by (facility, role) (hysio_active_healthcare_sessions)) > 800",
                true,
            ),
            ("max(a{b!='c',}) by (d) >= -1.5", true),
            ("a > b", false),
            ("a{b=~\"c.*\"} > 1", false),
            ("rate(a[5m]) > 1", false),
            ("a / b * 100 > 85", false),
            ("a > 5 and b > 6", false),
            ("a{b=\"c} > 1", false),
            ("a > 5m", false),
            ("", false),
        ] {
            assert_eq!(Comparison::parse(text).is_some(), simple, "{text}");
        }
    }

    #[test]
    fn series_are_added_up_before_they_are_compared() {
        let rule = Comparison::parse("sum(max by (facility) (s)) > 800").unwrap();
        let readings = [
            ("s{facility=\"a\",role=\"x\"}", 500.0),
            ("s{facility=\"b\"}", 500.0),
            ("t", 900.0),
        ];
        assert_eq!(rule.met(readings.into_iter()), Some(1000.0));
        let twice = [
            ("s{facility=\"a\",role=\"x\"}", 500.0),
            ("s{facility=\"a\",role=\"y\"}", 500.0),
        ];
        assert_eq!(rule.met(twice.into_iter()), None);
    }

    #[test]
    fn the_metrics_of_an_expression_are_found() {
        for (text, expected) in [
            (
                "histogram_quantile(0.95, sum by (le) (rate(a_bucket[5m]))) > 5",
                vec!["a_bucket"],
            ),
            ("(1 - b / c) * 100 > 85", vec!["b", "c"]),
            (
                "a{x=\"y\"} offset 5m > on (z) group_left (w) b",
                vec!["a", "b"],
            ),
            ("sum without (x) (hysio:a) or vector(0)", vec!["hysio:a"]),
        ] {
            assert_eq!(
                metrics(text).into_iter().collect::<Vec<_>>(),
                expected,
                "{text}"
            );
        }
    }
}
