//! A set of policies as its files state it. The file that `kubectl apply` reads is the file that is read here.

pub mod knobs;

use std::{collections::BTreeMap, fmt};

use crate::{
    PolicyName, Proposal, Resource, Snapshot, alerts,
    decide::History,
    emergency, forecast, hpa, keda,
    limits::Limits,
    matrix,
    policy_file::{Error, Finding},
    season,
    series::Series,
    specialty, target_tracking,
};

/// Everything that decides.
#[derive(Clone, Debug)]
pub struct Policies {
    pub limits: Limits,
    pub hpa: Vec<hpa::Policy>,
    pub keda: Vec<keda::Policy>,
    pub matrix: Option<matrix::Policy>,
    pub calendar: Option<season::Policy>,
    pub emergency: Option<emergency::Policy>,
    pub forecast: Vec<forecast::policy::Policy>,
    pub target_tracking: Vec<target_tracking::Policy>,
    pub specialty: Option<specialty::Policy>,
    pub alerts: Vec<alerts::Policy>,
    /// What works, but its owner should know.
    pub findings: Vec<Finding>,
}

/// Why a set of files is refused as a whole: the earlier set goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    File(#[from] Error),
    #[error(transparent)]
    Group(#[from] target_tracking::WrongGroup),
    #[error(transparent)]
    Manifest(#[from] crate::manifest::ManifestError),
    #[error(
        "{} and {} both scale {resource}: Kubernetes would let them fight, so keep one of them",
        .policies[0],
        .policies[1]
    )]
    TwoOnOneTarget {
        policies: Box<[Home; 2]>,
        resource: Resource,
    },
    #[error(
        "{first} and {second} are both {kind}, and only one can hold: keep one of them, with what is right in both"
    )]
    TwoOfOneKind {
        first: String,
        second: String,
        kind: &'static str,
    },
    #[error(
        "{policy} scales {resource}, for which limits.yaml has no bounds: add `{resource}: {{min: 1, max: …}}` to it"
    )]
    NoBounds { policy: String, resource: Resource },
    #[error(
        "{0}: it is no kind of policy that is known: a HorizontalPodAutoscaler, a ScaledObject, a target-tracking policy or its Auto Scaling group (JSON), Prometheus rules, specialties, forecasts, a scaling matrix, or limits.yaml"
    )]
    UnknownKind(String),
    #[error("no limits.yaml among the policies: it says what may never be exceeded")]
    NoLimits,
}

/// A policy, and the file that it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    pub policy: PolicyName,
    pub file: String,
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.policy, self.file)
    }
}

/// The files of what there can only be one of.
#[derive(Default)]
struct Singles<'a>(BTreeMap<&'static str, &'a str>);

impl<'a> Singles<'a> {
    fn note(&mut self, kind: &'static str, file: &'a str) -> Result<(), Refused> {
        match self.0.insert(kind, file) {
            None => Ok(()),
            Some(first) => Err(Refused::TwoOfOneKind {
                first: first.to_owned(),
                second: file.to_owned(),
                kind,
            }),
        }
    }
}

impl Policies {
    /// Reads a set of files by name and content.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line and the way out.
    pub fn read(files: &BTreeMap<String, String>) -> Result<Self, Refused> {
        let mut limits = None;
        let mut group = None;
        let mut policies = Self {
            limits: Limits {
                resources: BTreeMap::new(),
                monthly_budget: None,
            },
            hpa: Vec::new(),
            keda: Vec::new(),
            matrix: None,
            calendar: None,
            emergency: None,
            forecast: Vec::new(),
            target_tracking: Vec::new(),
            specialty: None,
            alerts: Vec::new(),
            findings: Vec::new(),
        };
        let mut singles = Singles::default();
        let mut owners = Vec::new();
        for (name, text) in files {
            if has_key(text, "scaling_thresholds") {
                singles.note("a scaling matrix", name)?;
                policies.add_matrix(name, text)?;
            } else if has_key(text, "resources") {
                singles.note("limits", name)?;
                limits = Some(Limits::parse(name, text)?);
            } else if has_key(text, "forecast") {
                policies
                    .forecast
                    .extend(forecast::policy::Policy::parse(name, text)?);
            } else if has_key(text, "groups") {
                let rules = alerts::Policy::parse(name, text)?;
                policies.findings.extend(rules.needs_prometheus());
                policies.alerts.push(rules);
            } else if has_key(text, "specialties") {
                singles.note("specialties", name)?;
                policies.specialty = Some(specialty::Policy::parse(name, text)?);
            } else if text.contains("\"TargetTrackingConfiguration\"") {
                let policy = target_tracking::Policy::parse(name, text)?;
                policies.findings.extend(policy.findings().iter().cloned());
                policies.target_tracking.push(policy);
            } else if text.contains("\"AutoScalingGroupName\"") {
                singles.note("an Auto Scaling group", name)?;
                group = Some(target_tracking::Group::parse(name, text)?);
            } else if has_key(text, "kind") {
                owners.extend(policies.add_manifests(name, text)?);
            } else {
                return Err(Refused::UnknownKind(name.clone()));
            }
        }
        policies.limits = limits.ok_or(Refused::NoLimits)?;
        if let Some(group) = group {
            let followed = policies.target_tracking.into_iter();
            policies.target_tracking = followed
                .map(|policy| policy.with_group(group.clone()))
                .collect::<Result<_, _>>()?;
        }
        policies.check(owners)?;
        Ok(policies)
    }

    /// What there is to carry over after a history of signals: what forecasts learn from.
    #[must_use]
    pub fn remembering(&self, signals: &BTreeMap<String, Series>) -> History {
        let forecast = self.forecast.iter().filter_map(|policy| {
            let history = signals.get(policy.signal())?;
            Some((policy.name(), policy.remembering(history)))
        });
        History {
            forecast: forecast.collect(),
            ..History::default()
        }
    }

    /// The forecasts that have nothing to go on with: new ones, and those whose signal or steps changed.
    pub fn without_memory(
        &self,
        history: &History,
    ) -> impl Iterator<Item = &forecast::policy::Policy> {
        self.forecast.iter().filter(|policy| {
            let memory = history.forecast.get(&policy.name());
            memory.is_none_or(|memory| !policy.remembers(memory))
        })
    }

    /// Takes forecasts that were made before from a store; they are the same as they would be.
    pub fn keep_forecasts(&mut self, kept: &forecast::policy::Kept) {
        for policy in &mut self.forecast {
            policy.keep(kept);
        }
    }

    fn add_matrix(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let matrix = matrix::Policy::parse(name, text)?;
        let calendar = season::Policy::parse(name, text)?;
        let emergency = emergency::Policy::parse(name, text)?;
        self.findings.extend(matrix.findings().iter().cloned());
        self.findings.extend(emergency.findings().iter().cloned());
        self.matrix = Some(matrix);
        self.calendar = Some(calendar);
        self.emergency = Some(emergency);
        Ok(())
    }

    /// What the file's manifests scale, each with its home.
    fn add_manifests(&mut self, name: &str, text: &str) -> Result<Vec<(Resource, Home)>, Refused> {
        let hpa = hpa::Policy::parse(name, text)?;
        let keda = keda::Policy::parse(name, text)?;
        if hpa.is_empty() && keda.is_empty() {
            return Err(Refused::UnknownKind(name.to_owned()));
        }
        let of_hpa = hpa.iter().map(|one| (&one.name, one.resource));
        let of_keda = keda.iter().map(|one| (&one.name, one.object.resource));
        let home = |(policy, resource): (&PolicyName, Resource)| {
            let (policy, file) = (policy.clone(), name.to_owned());
            (resource, Home { policy, file })
        };
        let owners = of_hpa.chain(of_keda).map(home).collect();
        self.hpa.extend(hpa);
        self.keda.extend(keda);
        Ok(owners)
    }

    fn check(&self, owners: Vec<(Resource, Home)>) -> Result<(), Refused> {
        let mut seen: BTreeMap<Resource, Home> = BTreeMap::new();
        for (resource, home) in owners {
            self.check_bounds(&home.policy, resource)?;
            if let Some(first) = seen.insert(resource, home.clone()) {
                let policies = Box::new([first, home]);
                return Err(Refused::TwoOnOneTarget { policies, resource });
            }
        }
        for policy in &self.forecast {
            self.check_bounds(&policy.name(), policy.resource())?;
        }
        Ok(())
    }

    fn check_bounds(&self, policy: &str, resource: Resource) -> Result<(), Refused> {
        if self.limits.resources.contains_key(&resource) {
            return Ok(());
        }
        Err(Refused::NoBounds {
            policy: policy.to_owned(),
            resource,
        })
    }

    /// What every policy wants, and what each carries over.
    pub(crate) fn propose(
        &self,
        history: &History,
        snapshot: &Snapshot,
    ) -> (Vec<Proposal>, History) {
        let mut proposals = Vec::with_capacity(64);
        let mut after = History::default();
        let none = hpa::Memory::default();
        for policy in &self.hpa {
            let memory = history.hpa.get(&policy.name).unwrap_or(&none);
            let (proposal, memory) = policy.propose(memory, snapshot);
            proposals.push(proposal);
            after.hpa.insert(policy.name.clone(), memory);
        }
        let none = keda::Memory::default();
        for policy in &self.keda {
            let memory = history.keda.get(&policy.name).unwrap_or(&none);
            let (proposal, memory) = policy.propose(memory, snapshot);
            proposals.push(proposal);
            after.keda.insert(policy.name.clone(), memory);
        }
        if let Some(matrix) = &self.matrix {
            let (wanted, memory) = matrix.propose(&history.matrix, snapshot);
            proposals.extend(wanted);
            let tier = matrix.tier(&memory);
            if let Some(calendar) = &self.calendar {
                proposals.extend(calendar.propose(tier, snapshot));
            }
            if let Some(emergency) = &self.emergency {
                proposals.extend(emergency.propose(tier, snapshot));
            }
            after.matrix = memory;
        }
        self.propose_more(history, snapshot, &mut proposals, &mut after);
        (proposals, after)
    }

    fn propose_more(
        &self,
        history: &History,
        snapshot: &Snapshot,
        proposals: &mut Vec<Proposal>,
        after: &mut History,
    ) {
        let none = target_tracking::Memory::default();
        for policy in &self.target_tracking {
            let memory = history.target_tracking.get(policy.name()).unwrap_or(&none);
            let (wanted, memory) = policy.propose(memory, snapshot);
            proposals.extend(wanted);
            after.target_tracking.insert(policy.name().clone(), memory);
        }
        let none = alerts::Memory::default();
        for policy in &self.alerts {
            let memory = history.alerts.get(policy.name()).unwrap_or(&none);
            let (wanted, memory) = policy.propose(memory, snapshot);
            proposals.extend(wanted);
            after.alerts.insert(policy.name().clone(), memory);
        }
        let none = forecast::policy::Memory::default();
        for policy in &self.forecast {
            let memory = history.forecast.get(&policy.name()).unwrap_or(&none);
            let (wanted, memory) = policy.propose(memory, snapshot);
            proposals.extend(wanted);
            after.forecast.insert(policy.name(), memory);
        }
        if let Some(specialty) = &self.specialty {
            proposals.extend(specialty.propose(snapshot));
        }
    }
}

/// Whether a document of the file has the key at its top.
fn has_key(text: &str, key: &str) -> bool {
    text.lines().any(|line| {
        line.strip_prefix(key)
            .is_some_and(|rest| rest.trim_start().starts_with(':'))
    })
}
