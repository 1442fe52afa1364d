//! Runs conformance vectors: what a real controller decided, replayed through ours.
//!
//! A vector file is JSON: `{source, parameters, vectors: [{name, function, …inputs, expect}]}`; `tests/vectors/README.md`
//! describes the form. A vector passes when everything that its `expect` names is what came out.

mod hpa;
mod keda;
mod pods;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A vector file that cannot be run.
#[derive(Debug, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct BrokenFile {
    pub line: usize,
    pub column: usize,
    pub problem: String,
}

/// What came of a file's vectors, in its order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    pub vectors: Vec<VectorResult>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VectorResult {
    pub name: String,
    pub function: String,
    /// `None` if it passed.
    pub failure: Option<Failure>,
}

/// What should have come out, and what did; or why nothing could.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    pub expected: Value,
    pub got: Value,
}

impl Report {
    #[must_use]
    pub fn passed(&self) -> usize {
        self.vectors.len() - self.failures().count()
    }

    pub fn failures(&self) -> impl Iterator<Item = (&VectorResult, &Failure)> {
        self.vectors
            .iter()
            .filter_map(|vector| Some((vector, vector.failure.as_ref()?)))
    }
}

/// Runs every vector of a file's text.
///
/// # Errors
/// The text is no JSON, or no vector file.
pub fn run(text: &str) -> Result<Report, BrokenFile> {
    let file: File = serde_json::from_str(text).map_err(|error| BrokenFile {
        line: error.line(),
        column: error.column(),
        problem: without_place(&error.to_string()),
    })?;
    let vectors = file
        .vectors
        .into_iter()
        .map(|vector| run_vector(vector, &file.parameters))
        .collect();
    Ok(Report { vectors })
}

/// The place stands in front already.
fn without_place(problem: &str) -> String {
    let problem = problem.split(" at line ").next();
    problem.unwrap_or_default().to_owned()
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    parameters: Parameters,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    function: String,
    expect: Map<String, Value>,
    #[serde(flatten)]
    inputs: Map<String, Value>,
}

/// The controller's settings while the tests ran.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Parameters {
    cpu_initialization_period_s: Option<i64>,
    initial_readiness_delay_s: Option<i64>,
    tolerance: Option<f64>,
    downscale_stabilization_window_s: Option<i32>,
    scale_up_limit_factor: Option<f64>,
    scale_up_limit_minimum: Option<f64>,
}

/// What a function gave: its values by name, or the error that it ended with.
type Given = Result<Map<String, Value>, String>;

/// Why a vector could not be run at all.
type CannotRun = String;

fn run_vector(vector: Vector, parameters: &Parameters) -> VectorResult {
    let inputs = Value::Object(vector.inputs);
    let given = match hpa::call(&vector.function, &inputs, parameters) {
        Some(given) => given,
        None => keda::call(&vector.function, &inputs)
            .unwrap_or_else(|| Err(format!("unknown function {:?}", vector.function))),
    };
    let failure = match given {
        Ok(given) => compare(&vector.expect, given),
        Err(why) => Some(Failure {
            expected: Value::Object(vector.expect),
            got: Value::String(format!("cannot be run: {why}")),
        }),
    };
    VectorResult {
        name: vector.name,
        function: vector.function,
        failure,
    }
}

fn compare(expect: &Map<String, Value>, given: Given) -> Option<Failure> {
    let got = match given {
        Ok(values) => values,
        Err(error) => Map::from_iter([("error".to_owned(), Value::String(error))]),
    };
    let differs = expect
        .iter()
        .any(|(key, expected)| !matches(key, expected, &got));
    let unexpected_error =
        got.contains_key("error") && !expects_error(expect) && !expect.contains_key("error");
    (differs || unexpected_error).then(|| Failure {
        expected: Value::Object(expect.clone()),
        got: Value::Object(got),
    })
}

fn expects_error(expect: &Map<String, Value>) -> bool {
    expect.contains_key("error_contains")
        || !matches!(
            expect.get("error"),
            None | Some(Value::Bool(false) | Value::Null)
        )
}

/// An error's words are the original's own: that there is one is what counts.
fn matches(key: &str, expected: &Value, got: &Map<String, Value>) -> bool {
    match (key, expected) {
        ("error", Value::Bool(false) | Value::Null) => !got.contains_key("error"),
        ("error" | "error_contains", _) => got.contains_key("error"),
        // A condition that isn't set is unknown.
        ("active_condition", Value::Null) => got.get(key).is_some_and(|got| got == "Unknown"),
        // The source left this list empty where it doesn't look at it: there is always a recommendation afterwards.
        ("recommendations_after", Value::Array(list)) if list.is_empty() => true,
        _ => got
            .get(key)
            .is_some_and(|got| canonical(got) == canonical(expected)),
    }
}

/// Sets without their order, times left out (they are those of the run), and numbers as numbers.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<_> = items.iter().map(canonical).collect();
            if items.iter().all(is_of_a_set) {
                items.sort_by_key(ToString::to_string);
            }
            Value::Array(items)
        }
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, _)| *key != "time_s")
            .map(|(key, value)| (key.clone(), canonical(value)))
            .collect(),
        Value::Number(number) if number.as_i64().is_none() => number
            .as_f64()
            .filter(|float| float.fract() == 0.0)
            .map_or_else(|| value.clone(), |float| Value::from(float as i64)),
        other => other.clone(),
    }
}

/// Names of pods and conditions come in no order; events and recommendations do.
fn is_of_a_set(item: &Value) -> bool {
    item.is_string() || item.get("type").is_some()
}

fn inputs<'de, T: Deserialize<'de>>(inputs: &'de Value) -> Result<T, CannotRun> {
    T::deserialize(inputs).map_err(|error| format!("the inputs are not of its form: {error}"))
}
