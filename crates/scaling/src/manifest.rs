//! What all manifests have in common: documents, metadata, and errors that say where and what instead.

use std::collections::BTreeMap;

use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_saphyr::Spanned;

use crate::Resource;

/// A manifest that is refused, and the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}: {way_out}")]
pub struct ManifestError {
    pub file: String,
    /// From 1.
    pub line: u64,
    pub problem: String,
    pub way_out: String,
}

/// Names the file in errors.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub file: &'a str,
}

impl Reader<'_> {
    /// Every document of a kind, and nothing of the others.
    pub fn documents<T: DeserializeOwned>(
        self,
        text: &str,
        kind: &str,
        api_version: &str,
    ) -> Result<Vec<T>, ManifestError> {
        let mut found = Vec::new();
        for document in split(text) {
            let head: Option<Head> = self.parse(&document)?;
            let Some(head) = head.filter(|head| is(head.kind.as_ref(), kind)) else {
                continue;
            };
            if !is(head.api_version.as_ref(), api_version) {
                let given = head.api_version.as_ref().map_or("none", |one| &one.value);
                let place = head.api_version.as_ref().or(head.kind.as_ref());
                return Err(self.refuse(
                    place.map_or(1, line),
                    format!("a {kind} of apiVersion {given} is not understood"),
                    format!("use apiVersion: {api_version}"),
                ));
            }
            found.push(self.parse(&document)?);
        }
        Ok(found)
    }

    fn parse<T: DeserializeOwned>(self, document: &str) -> Result<T, ManifestError> {
        serde_saphyr::from_str(document).map_err(|error| {
            let place = error.location();
            let problem = error.without_snippet().to_string();
            // The place stands in front already, and people don't know our types.
            let problem = problem.split(" at line ").next().unwrap_or_default();
            let problem = ["i32", "i64"]
                .iter()
                .fold(problem.to_owned(), |problem, name| {
                    problem.replace(&format!("invalid {name}"), "this is no whole number")
                });
            self.refuse(
                place.map_or(1, |place| place.line()),
                problem,
                "correct it, or leave it out",
            )
        })
    }

    pub fn refuse(
        self,
        line: u64,
        problem: impl Into<String>,
        way_out: impl Into<String>,
    ) -> ManifestError {
        ManifestError {
            file: self.file.to_owned(),
            line,
            problem: problem.into(),
            way_out: way_out.into(),
        }
    }

    pub fn workload(self, name: &Spanned<String>) -> Result<Resource, ManifestError> {
        Resource::of_deployment(&name.value).ok_or_else(|| {
            let known: Vec<_> = Resource::ALL
                .iter()
                .filter_map(|one| one.deployment())
                .collect();
            self.refuse(
                line(name),
                format!("scaleTargetRef names the unknown workload {:?}", name.value),
                format!("use one of {}", known.join(", ")),
            )
        })
    }
}

pub(crate) fn line<T>(place: &Spanned<T>) -> u64 {
    place.referenced.line().max(1)
}

fn is(given: Option<&Spanned<String>>, wanted: &str) -> bool {
    given.is_some_and(|one| one.value == wanted)
}

/// The documents of a file, each on the lines that it has there.
fn split(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for (number, content) in text.lines().enumerate() {
        if content == "---" || content.starts_with("--- ") {
            documents.push("\n".repeat(number));
        }
        if let Some(document) = documents.last_mut() {
            document.push_str(content.strip_prefix("---").unwrap_or(content));
            document.push('\n');
        }
    }
    documents.retain(|document| document.lines().any(has_content));
    documents
}

fn has_content(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with('#')
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: Option<Spanned<String>>,
    kind: Option<Spanned<String>>,
}

/// An object's metadata: what is looked at, and what an object that was read back from a cluster has besides.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Metadata {
    pub name: String,
    #[serde(rename = "namespace")]
    _namespace: Option<IgnoredAny>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    #[serde(rename = "labels")]
    _labels: Option<IgnoredAny>,
    #[serde(rename = "uid")]
    _uid: Option<IgnoredAny>,
    #[serde(rename = "generation")]
    _generation: Option<IgnoredAny>,
    #[serde(rename = "resourceVersion")]
    _resource_version: Option<IgnoredAny>,
    #[serde(rename = "creationTimestamp")]
    _creation_timestamp: Option<IgnoredAny>,
    #[serde(rename = "managedFields")]
    _managed_fields: Option<IgnoredAny>,
    #[serde(rename = "ownerReferences")]
    _owner_references: Option<IgnoredAny>,
    #[serde(rename = "finalizers")]
    _finalizers: Option<IgnoredAny>,
}
