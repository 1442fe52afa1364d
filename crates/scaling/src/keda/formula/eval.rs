//! Nodes to values.

use std::{collections::BTreeMap, fmt};

use super::{Node, Operator};

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Array(Vec<Value>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Array(values) => write!(f, "an array of {}", values.len()),
        }
    }
}

impl Value {
    fn number(&self) -> Result<f64, String> {
        match self {
            Self::Int(value) => Ok(*value as f64),
            Self::Float(value) => Ok(*value),
            Self::Nil | Self::Bool(_) | Self::Array(_) => Err(format!("{self} is no number")),
        }
    }

    fn truth(&self) -> Result<bool, String> {
        match self {
            Self::Bool(value) => Ok(*value),
            _ => Err(format!("{self} is neither true nor false")),
        }
    }

    fn items(self) -> Result<Vec<Self>, String> {
        match self {
            Self::Array(items) => Ok(items),
            other => Err(format!("{other} is no array")),
        }
    }
}

pub fn evaluate(node: &Node, values: &BTreeMap<String, Value>) -> Result<Value, String> {
    Scope {
        values,
        element: None,
    }
    .evaluate(node)
}

#[derive(Clone, Copy)]
struct Scope<'a> {
    values: &'a BTreeMap<String, Value>,
    element: Option<&'a Value>,
}

impl Scope<'_> {
    fn evaluate(self, node: &Node) -> Result<Value, String> {
        match node {
            Node::Literal(value) => Ok(value.clone()),
            Node::Name(name) => self
                .values
                .get(name)
                .cloned()
                .ok_or_else(|| format!("no trigger is named {name}")),
            Node::Element => self
                .element
                .cloned()
                .ok_or_else(|| "# without an array".to_owned()),
            Node::Array(nodes) => self.all(nodes).map(Value::Array),
            Node::Negate(node) => match self.evaluate(node)? {
                Value::Int(value) => Ok(Value::Int(value.wrapping_neg())),
                other => Ok(Value::Float(-other.number()?)),
            },
            Node::Not(node) => Ok(Value::Bool(!self.evaluate(node)?.truth()?)),
            Node::Choice(nodes) => {
                let [condition, yes, no] = nodes.as_ref();
                let chosen = if self.evaluate(condition)?.truth()? {
                    yes
                } else {
                    no
                };
                self.evaluate(chosen)
            }
            Node::Binary(operator, left, right) => self.binary(*operator, left, right),
            Node::Index(array, index) => self.index(array, index),
            Node::Call {
                function,
                arguments,
                predicate: None,
            } => call(function, self.all(arguments)?),
            Node::Call {
                function,
                arguments,
                predicate: Some(predicate),
            } => {
                let items = self.all(arguments)?.pop().unwrap_or(Value::Nil).items()?;
                self.over(function, items, predicate)
            }
        }
    }

    fn all(self, nodes: &[Node]) -> Result<Vec<Value>, String> {
        nodes.iter().map(|node| self.evaluate(node)).collect()
    }

    fn binary(self, operator: Operator, left: &Node, right: &Node) -> Result<Value, String> {
        let left = self.evaluate(left)?;
        match operator {
            Operator::And if !left.truth()? => return Ok(Value::Bool(false)),
            Operator::Or if left.truth()? => return Ok(Value::Bool(true)),
            Operator::OrElse if left != Value::Nil => return Ok(left),
            _ => {}
        }
        let right = self.evaluate(right)?;
        match operator {
            Operator::OrElse => Ok(right),
            Operator::And | Operator::Or => right.truth().map(Value::Bool),
            Operator::Equal => Ok(Value::Bool(equal(&left, &right))),
            Operator::Unequal => Ok(Value::Bool(!equal(&left, &right))),
            _ => arithmetic(operator, &left, &right),
        }
    }

    fn index(self, array: &Node, index: &Node) -> Result<Value, String> {
        let items = self.evaluate(array)?.items()?;
        let Value::Int(index) = self.evaluate(index)? else {
            return Err("an index is a whole number".to_owned());
        };
        // Negative ones count from the end.
        let index = if index < 0 {
            index + items.len() as i64
        } else {
            index
        };
        usize::try_from(index)
            .ok()
            .and_then(|index| items.get(index).cloned())
            .ok_or_else(|| format!("there is no element {index}"))
    }

    fn over(self, function: &str, items: Vec<Value>, predicate: &Node) -> Result<Value, String> {
        let look = |item: &Value| {
            Scope {
                values: self.values,
                element: Some(item),
            }
            .evaluate(predicate)
        };
        if matches!(function, "map" | "sum") {
            let mapped: Vec<_> = items.iter().map(look).collect::<Result<_, _>>()?;
            return if function == "map" {
                Ok(Value::Array(mapped))
            } else {
                call("sum", vec![Value::Array(mapped)])
            };
        }
        let mut chosen = Vec::new();
        let all = items.len();
        for item in items {
            if look(&item)?.truth()? {
                chosen.push(item);
            }
        }
        Ok(match function {
            "filter" => Value::Array(chosen),
            "all" => Value::Bool(chosen.len() == all),
            "any" => Value::Bool(!chosen.is_empty()),
            "none" => Value::Bool(chosen.is_empty()),
            "one" => Value::Bool(chosen.len() == 1),
            _ => Value::Int(chosen.len() as i64),
        })
    }
}

fn equal(left: &Value, right: &Value) -> bool {
    match (left.number(), right.number()) {
        (Ok(left), Ok(right)) => left == right,
        _ => left == right,
    }
}

fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Result<Value, String> {
    if let (Value::Int(left), Value::Int(right)) = (left, right) {
        match operator {
            Operator::Add => return Ok(Value::Int(left.wrapping_add(*right))),
            Operator::Subtract => return Ok(Value::Int(left.wrapping_sub(*right))),
            Operator::Multiply => return Ok(Value::Int(left.wrapping_mul(*right))),
            Operator::Remainder => {
                let remainder = left.checked_rem(*right);
                return remainder
                    .map(Value::Int)
                    .ok_or_else(|| "a division by zero".to_owned());
            }
            _ => {}
        }
    }
    let (left, right) = (left.number()?, right.number()?);
    Ok(match operator {
        Operator::Add => Value::Float(left + right),
        Operator::Subtract => Value::Float(left - right),
        Operator::Multiply => Value::Float(left * right),
        Operator::Divide => Value::Float(left / right),
        Operator::Power => Value::Float(left.powf(right)),
        Operator::Less => Value::Bool(left < right),
        Operator::LessOrEqual => Value::Bool(left <= right),
        Operator::Greater => Value::Bool(left > right),
        Operator::GreaterOrEqual => Value::Bool(left >= right),
        Operator::Remainder => return Err("% is for whole numbers: use int()".to_owned()),
        Operator::Or | Operator::And | Operator::Equal | Operator::Unequal | Operator::OrElse => {
            return Err(format!("{operator:?} is no arithmetic"));
        }
    })
}

fn call(function: &str, mut arguments: Vec<Value>) -> Result<Value, String> {
    if matches!(function, "min" | "max" | "mean" | "median" | "sum") {
        return aggregate(function, arguments);
    }
    let (Some(argument), true) = (arguments.pop(), arguments.is_empty()) else {
        return Err(format!("{function} takes one value"));
    };
    Ok(match (function, argument) {
        ("len" | "count", value) => Value::Int(value.items()?.len() as i64),
        ("abs", Value::Int(value)) => Value::Int(value.wrapping_abs()),
        ("abs", value) => Value::Float(value.number()?.abs()),
        ("ceil", value) => Value::Float(value.number()?.ceil()),
        ("floor", value) => Value::Float(value.number()?.floor()),
        ("round", value) => Value::Float(value.number()?.round()),
        ("int", value) => Value::Int(value.number()? as i64),
        ("float", value) => Value::Float(value.number()?),
        (other, _) => return Err(format!("{other} needs a predicate")),
    })
}

/// Over numbers and arrays of them.
fn aggregate(function: &str, arguments: Vec<Value>) -> Result<Value, String> {
    let mut items = Vec::new();
    for argument in arguments {
        match argument {
            Value::Array(nested) => items.extend(nested),
            other => items.push(other),
        }
    }
    if function == "sum" {
        return items.iter().try_fold(Value::Int(0), |sum, item| {
            arithmetic(Operator::Add, &sum, item)
        });
    }
    let mut numbers: Vec<f64> = items.iter().map(Value::number).collect::<Result<_, _>>()?;
    if numbers.is_empty() {
        return Err(format!("{function} of nothing"));
    }
    numbers.sort_by(f64::total_cmp);
    let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
    let middle = numbers.len() / 2;
    Ok(Value::Float(match function {
        "min" => first,
        "max" => last,
        "mean" => numbers.iter().sum::<f64>() / numbers.len() as f64,
        _ if numbers.len() % 2 == 1 => numbers[middle],
        _ => f64::midpoint(numbers[middle - 1], numbers[middle]),
    }))
}
