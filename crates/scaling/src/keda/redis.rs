//! The triggers `redis` and `redis-cluster`: the length of a list.

use std::collections::BTreeMap;

pub const DEFAULT_LIST_LENGTH: i64 = 5;

/// A trigger's metadata, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisList {
    pub list_name: String,
    /// Jobs that one replica takes on.
    pub list_length: i64,
    /// Active above this.
    pub activation_list_length: i64,
    pub addresses: Vec<String>,
    pub tls: bool,
}

/// Where a trigger's parameters come from.
pub struct Parameters<'a> {
    pub metadata: &'a BTreeMap<String, String>,
    pub auth: &'a BTreeMap<String, String>,
    /// The workload's environment, for `…FromEnv`.
    pub env: &'a BTreeMap<String, String>,
}

impl Parameters<'_> {
    fn metadata(&self, name: &str) -> Option<&str> {
        given(self.metadata.get(name))
    }

    fn auth(&self, name: &str) -> Option<&str> {
        given(self.auth.get(name))
    }

    fn env(&self, name: &str) -> Option<&str> {
        let variable = given(self.metadata.get(&format!("{name}FromEnv")))?;
        given(self.env.get(variable))
    }

    /// A list under the first of its names that is given anywhere.
    fn list(&self, names: [&str; 2]) -> Vec<String> {
        let find =
            |place: &dyn Fn(&str) -> Option<String>| names.iter().find_map(|name| place(name));
        find(&|name| self.metadata(name).map(str::to_owned))
            .or_else(|| find(&|name| self.env(name).map(str::to_owned)))
            .or_else(|| find(&|name| self.auth(name).map(str::to_owned)))
            .map(|list| {
                let items = list.split(',').map(|item| item.trim().to_owned());
                items.collect()
            })
            .unwrap_or_default()
    }

    fn length(&self, name: &str, default: i64) -> Result<i64, String> {
        self.metadata(name).map_or(Ok(default), |text| {
            let length = text.trim().parse();
            length.map_err(|_| format!("{name} is {text:?}, no whole number"))
        })
    }
}

/// What is empty isn't given.
fn given(value: Option<&String>) -> Option<&str> {
    value.map(String::as_str).filter(|value| !value.is_empty())
}

/// # Errors
/// What is missing or not understood.
pub fn parse(parameters: &Parameters<'_>) -> Result<RedisList, String> {
    let list_name = parameters
        .metadata("listName")
        .ok_or("no list name given")?;
    let mut addresses = parameters.list(["address", "addresses"]);
    let hosts = parameters.list(["host", "hosts"]);
    let ports = parameters.list(["port", "ports"]);
    if !hosts.is_empty() && !ports.is_empty() {
        if hosts.len() != ports.len() {
            return Err("there must be as many hosts as ports".to_owned());
        }
        let pairs = hosts.iter().zip(&ports);
        addresses.extend(pairs.map(|(host, port)| format!("{host}:{port}")));
    }
    if addresses.first().is_none_or(String::is_empty) {
        return Err("no address given: give address as host:port, or host and port".to_owned());
    }
    Ok(RedisList {
        list_name: list_name.to_owned(),
        list_length: parameters.length("listLength", DEFAULT_LIST_LENGTH)?,
        activation_list_length: parameters.length("activationListLength", 0)?,
        addresses,
        tls: tls(parameters)?,
    })
}

fn tls(parameters: &Parameters<'_>) -> Result<bool, String> {
    match (parameters.metadata("enableTLS"), parameters.auth("tls")) {
        (Some(_), Some(_)) => {
            Err("tls is set in the trigger and in its authentication: set it once".to_owned())
        }
        (Some(text), None) => match text {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
            _ => Err(format!("enableTLS is {text:?}, neither true nor false")),
        },
        (None, Some("enable")) => Ok(true),
        (None, Some("disable") | None) => Ok(false),
        (None, Some(text)) => Err(format!("tls is {text:?}, neither enable nor disable")),
    }
}

/// The name of the external metric that KEDA serves for it.
#[must_use]
pub fn metric_name(trigger_index: usize, list_name: &str) -> String {
    let name = list_name.replace(['/', '.', ':', '%', '(', ')'], "-");
    format!("s{trigger_index}-redis-{name}")
}
