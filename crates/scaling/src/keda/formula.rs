//! `scalingModifiers.formula`: the part of the expr language that combines numbers.
//!
//! Numbers, `nil`, trigger names; `+ - * / % ** ^`, comparisons, `and or not`, `?:`, `??`, arrays, and the functions of
//! [`eval`]. `/` and `**` give fractions also for whole numbers, `??` binds closest.

mod eval;
mod parse;

use std::collections::{BTreeMap, BTreeSet};

pub use eval::Value;

/// The metric that a formula makes.
pub const COMPOSITE_METRIC: &str = "composite-metric";

/// A formula that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Formula {
    node: Node,
    names: BTreeSet<String>,
}

impl Formula {
    /// # Errors
    /// What was not understood, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let node = parse::parse(text)?;
        let mut names = BTreeSet::new();
        node.collect_names(&mut names);
        Ok(Self { node, names })
    }

    /// The triggers that it needs.
    #[must_use]
    pub fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// Its value as thousandths, truncated; `None` for `nil`.
    ///
    /// # Errors
    /// An operation that its values don't permit.
    pub fn evaluate(&self, values: &BTreeMap<String, Value>) -> Result<Option<i64>, String> {
        match eval::evaluate(&self.node, values)? {
            Value::Nil => Ok(None),
            Value::Int(value) => Ok(Some(value.saturating_mul(1000))),
            Value::Float(value) => Ok(Some((value * 1000.0) as i64)),
            other => Err(format!("the formula gives {other}, no number")),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Literal(Value),
    Name(String),
    /// `#`, the element that a predicate looks at.
    Element,
    Array(Vec<Node>),
    Negate(Box<Node>),
    Not(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    Choice(Box<[Node; 3]>),
    Index(Box<Node>, Box<Node>),
    Call {
        function: String,
        arguments: Vec<Node>,
        predicate: Option<Box<Node>>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    OrElse,
}

impl Node {
    fn collect_names(&self, names: &mut BTreeSet<String>) {
        match self {
            Self::Literal(_) | Self::Element => {}
            Self::Name(name) => {
                names.insert(name.clone());
            }
            Self::Array(nodes) => nodes.iter().for_each(|node| node.collect_names(names)),
            Self::Negate(node) | Self::Not(node) => node.collect_names(names),
            Self::Binary(_, left, right) | Self::Index(left, right) => {
                left.collect_names(names);
                right.collect_names(names);
            }
            Self::Choice(nodes) => nodes.iter().for_each(|node| node.collect_names(names)),
            Self::Call {
                arguments,
                predicate,
                ..
            } => {
                arguments.iter().for_each(|node| node.collect_names(names));
                predicate.iter().for_each(|node| node.collect_names(names));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milli(text: &str) -> Result<Option<i64>, String> {
        let values = BTreeMap::from([
            ("a".to_owned(), Value::Float(2.0)),
            ("b".to_owned(), Value::Float(5.0)),
            ("gone".to_owned(), Value::Nil),
        ]);
        Formula::parse(text)?.evaluate(&values)
    }

    #[test]
    fn formulas_mean_what_expr_says() {
        for (text, expected) in [
            ("a + b", 7_000),
            ("a + b * 3 - 1", 16_000),
            ("(a + b) / 2", 3_500),
            ("7 / 2", 3_500),
            ("7 % 4", 3_000),
            ("2 ** 3 ^ 2", 512_000),
            ("-2 ** 2", -4_000),
            ("a > 1 ? b : 0", 5_000),
            ("a > 1 && b < 3 ? 1 : a == 2.0 or false ? 2 : 3", 2_000),
            ("not (a > b) ? 1 : 2", 1_000),
            ("!(a >= b) ? 1 : 2", 1_000),
            ("gone ?? 9", 9_000),
            ("a + gone ?? 1", 3_000),
            ("max(a, b)", 5_000),
            ("max([a, b, 11])", 11_000),
            ("min(a, [b, 1])", 1_000),
            ("sum([a, b])", 7_000),
            ("mean([a, b])", 3_500),
            ("median([9, a, b])", 5_000),
            ("abs(a - b)", 3_000),
            ("ceil(a / 3) + floor(b / 3) + round(2.5)", 5_000),
            ("int(b / 2) + float(1)", 3_000),
            ("count([a, b, 9], {# > 4})", 2_000),
            ("count([a, b, 9], # > 4)", 2_000),
            ("sum(map([a, b], {# * 2}))", 14_000),
            ("len(filter([a, b], # != 2))", 1_000),
            ("any([a, b], {# == 5}) ? 1 : 0", 1_000),
            ("all([a, b], {# == 5}) ? 1 : 0", 0),
            ("[a, b][1]", 5_000),
            ("0.0019", 1),
            ("1e3", 1_000_000),
        ] {
            assert_eq!(milli(text), Ok(Some(expected)), "{text}");
        }
        assert_eq!(milli("gone ?? nil"), Ok(None));
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        for text in [
            "",
            "a +",
            "(a",
            "a b",
            "a $ b",
            "max(",
            "unknown(a)",
            "# + 1",
            "a ? b",
            "[a",
            "gone + 1",
            "a > 1",
            "c + 1",
            "7 % 0",
            "a % 2",
            "[a][3]",
            "max()",
            "a and b ? 1 : 2",
        ] {
            assert!(milli(text).is_err(), "{text:?} gives {:?}", milli(text));
        }
        let deep = "(".repeat(5000);
        assert!(milli(&deep).is_err());
    }
}
