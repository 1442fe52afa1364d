//! What must hold before a change is begun.

use serde::{Deserialize, Serialize};

use super::{Finding, Gate, Known, Report, Verdict, verdict};
use crate::Resource;

/// Everything that is asked before. Each part was collected just now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BeforeFacts {
    /// What was looked at to know the current use, such as `cpu 63 %, 12 jobs wait`.
    pub utilisation: Known<String>,
    pub database: Known<DatabaseFacts>,
    pub keys: Known<KeyFacts>,
    pub audit: Known<AuditFacts>,
    pub backup: Known<BackupFacts>,
    pub monitoring: Known<MonitoringFacts>,
    pub capacity: Known<CapacityFacts>,
    /// Another unfinished change of the same target.
    pub other_change: Known<Option<String>>,
}

impl BeforeFacts {
    /// Nothing could be collected, for one reason.
    #[must_use]
    pub fn unknown(why: &str) -> Self {
        Self {
            utilisation: Err(why.to_owned()),
            database: Err(why.to_owned()),
            keys: Err(why.to_owned()),
            audit: Err(why.to_owned()),
            backup: Err(why.to_owned()),
            monitoring: Err(why.to_owned()),
            capacity: Err(why.to_owned()),
            other_change: Err(why.to_owned()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatabaseFacts {
    /// A replica takes no writes.
    pub in_recovery: bool,
    /// The schema's version, and the least that this program needs.
    pub schema: i32,
    pub schema_needed: i32,
    /// Pages whose checksum was wrong since the statistics began.
    pub checksum_failures: i64,
    /// Indexes that are not valid.
    pub invalid_indexes: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyFacts {
    /// Stored keys that were unwrapped and used on a known value.
    pub tried: u32,
    pub decrypted: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditFacts {
    /// Entries whose hashes and signed root were computed again now, up to the newest checkpoint.
    pub proven: u64,
    /// Entries before those, whose proof less than a day ago still holds.
    #[serde(default)]
    pub proven_before: u64,
    /// The trail's size by that checkpoint.
    pub size: u64,
    /// What is wrong, if anything.
    pub broken: Option<String>,
    /// An entry could be written.
    pub writable: bool,
    /// Age of the oldest entry that has no place in the log yet.
    pub waiting_seconds: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupFacts {
    pub age_hours: Option<i64>,
    pub age_hours_max: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MonitoringFacts {
    /// Services that were asked, and those that did not answer.
    pub asked: Vec<String>,
    pub silent: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityFacts {
    pub resource: Resource,
    pub wanted: i32,
    pub min: i32,
    pub max: i32,
    /// What hardware or a quota allows now.
    pub quota: Option<i32>,
    /// Cost a month of all resources after the change, and what may be spent.
    pub monthly_cost: f64,
    pub monthly_budget: Option<f64>,
}

/// An entry that waits longer than this for its place in the log is suspicious: it gets one twice a second.
const AUDIT_WAIT_SECONDS_MAX: i64 = 60;

/// Judges the facts. The order is that of the checklist.
#[must_use]
pub fn before(facts: &BeforeFacts) -> Report {
    Report {
        findings: vec![
            Finding::of(Gate::Utilisation, &facts.utilisation, |seen| {
                (verdict(!seen.is_empty()), seen.clone())
            }),
            Finding::of(Gate::DatabaseIntegrity, &facts.database, database),
            Finding::of(Gate::EncryptionKeys, &facts.keys, keys),
            Finding::of(Gate::AuditTrail, &facts.audit, audit),
            Finding::of(Gate::Backup, &facts.backup, backup),
            Finding::of(Gate::Monitoring, &facts.monitoring, monitoring),
            Finding::of(Gate::CapacityPlan, &facts.capacity, capacity),
            Finding::of(Gate::NoOtherChange, &facts.other_change, |other| {
                let said = other
                    .as_ref()
                    .map_or("none".to_owned(), |other| format!("{other} is in flight"));
                (verdict(other.is_none()), said)
            }),
        ],
    }
}

pub(super) fn database(facts: &DatabaseFacts) -> (Verdict, String) {
    let role = if facts.in_recovery {
        "a replica, which takes no writes"
    } else {
        "primary"
    };
    let said = format!(
        "{role}; schema {} of {}; {} checksum failures; {} invalid indexes",
        facts.schema, facts.schema_needed, facts.checksum_failures, facts.invalid_indexes
    );
    let whole = !facts.in_recovery
        && facts.schema >= facts.schema_needed
        && facts.checksum_failures == 0
        && facts.invalid_indexes == 0;
    (verdict(whole), said)
}

pub(super) fn keys(facts: &KeyFacts) -> (Verdict, String) {
    let said = format!("{} of {} keys decrypted", facts.decrypted, facts.tried);
    if facts.tried == 0 {
        return (Verdict::Inconclusive, said);
    }
    (verdict(facts.decrypted == facts.tried), said)
}

pub(super) fn audit(facts: &AuditFacts) -> (Verdict, String) {
    if let Some(broken) = &facts.broken {
        return (Verdict::Fail, broken.clone());
    }
    let said = format!(
        "{} entries proven now and {} before, of {} up to the newest checkpoint; {}; the oldest waits {} s for its place",
        facts.proven,
        facts.proven_before,
        facts.size,
        if facts.writable {
            "writable"
        } else {
            "not writable"
        },
        facts.waiting_seconds
    );
    let whole = facts.proven.saturating_add(facts.proven_before) >= facts.size;
    let writable = facts.writable && facts.waiting_seconds <= AUDIT_WAIT_SECONDS_MAX;
    (verdict(whole && writable), said)
}

fn backup(facts: &BackupFacts) -> (Verdict, String) {
    match facts.age_hours {
        None => (Verdict::Fail, "there is none: hysio backup create".into()),
        Some(age) => (
            verdict(age <= facts.age_hours_max),
            format!("{age} h old; at most {} h", facts.age_hours_max),
        ),
    }
}

pub(super) fn monitoring(facts: &MonitoringFacts) -> (Verdict, String) {
    if facts.asked.is_empty() {
        return (Verdict::Inconclusive, "no service was asked".into());
    }
    let said = if facts.silent.is_empty() {
        format!("{} answered", facts.asked.join(", "))
    } else {
        format!("{} did not answer", facts.silent.join(", "))
    };
    (verdict(facts.silent.is_empty()), said)
}

fn capacity(facts: &CapacityFacts) -> (Verdict, String) {
    let most = facts.quota.map_or(facts.max, |quota| quota.min(facts.max));
    let within = (facts.min..=most).contains(&facts.wanted);
    let affordable = facts
        .monthly_budget
        .is_none_or(|budget| facts.monthly_cost <= budget);
    let quota = facts
        .quota
        .map_or(String::new(), |quota| format!(", quota {quota}"));
    let budget = facts
        .monthly_budget
        .map_or(String::new(), |budget| format!(" of {budget:.0}"));
    let said = format!(
        "{} {}; bounds {} to {}{quota}; {:.0}{budget} USD a month",
        facts.wanted, facts.resource, facts.min, facts.max, facts.monthly_cost
    );
    (verdict(within && affordable), said)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn good() -> BeforeFacts {
        BeforeFacts {
            utilisation: Ok("12 jobs wait".into()),
            database: Ok(DatabaseFacts {
                in_recovery: false,
                schema: 4,
                schema_needed: 4,
                checksum_failures: 0,
                invalid_indexes: 0,
            }),
            keys: Ok(KeyFacts {
                tried: 3,
                decrypted: 3,
            }),
            audit: Ok(AuditFacts {
                proven: 7,
                proven_before: 3,
                size: 10,
                broken: None,
                writable: true,
                waiting_seconds: 0,
            }),
            backup: Ok(BackupFacts {
                age_hours: Some(3),
                age_hours_max: 24,
            }),
            monitoring: Ok(MonitoringFacts {
                asked: vec!["app".into()],
                silent: vec![],
            }),
            capacity: Ok(CapacityFacts {
                resource: Resource::AppInstances,
                wanted: 5,
                min: 3,
                max: 20,
                quota: None,
                monthly_cost: 100.0,
                monthly_budget: None,
            }),
            other_change: Ok(None),
        }
    }

    #[test]
    fn good_facts_pass_every_gate() {
        let report = before(&good());
        assert!(report.passed(), "{}", report.why_not());
        assert_eq!(report.findings.len(), 8);
    }

    type Spoil = fn(&mut BeforeFacts);

    /// Each spoiled fact is refused by its own gate, and by no other.
    #[test]
    fn each_gate_refuses_what_it_is_there_for() {
        let cases: [(Gate, Verdict, Spoil); 14] = [
            (Gate::Utilisation, Verdict::Error, |f| {
                f.utilisation = Err("no reading".into());
            }),
            (Gate::DatabaseIntegrity, Verdict::Fail, |f| {
                f.database.as_mut().unwrap().in_recovery = true;
            }),
            (Gate::DatabaseIntegrity, Verdict::Fail, |f| {
                f.database.as_mut().unwrap().schema = 3;
            }),
            (Gate::DatabaseIntegrity, Verdict::Fail, |f| {
                f.database.as_mut().unwrap().checksum_failures = 1;
            }),
            (Gate::EncryptionKeys, Verdict::Fail, |f| {
                f.keys.as_mut().unwrap().decrypted = 2;
            }),
            (Gate::EncryptionKeys, Verdict::Inconclusive, |f| {
                f.keys = Ok(KeyFacts {
                    tried: 0,
                    decrypted: 0,
                });
            }),
            (Gate::AuditTrail, Verdict::Fail, |f| {
                f.audit.as_mut().unwrap().broken = Some("entry 4 was changed".into());
            }),
            (Gate::AuditTrail, Verdict::Fail, |f| {
                f.audit.as_mut().unwrap().writable = false;
            }),
            (Gate::Backup, Verdict::Fail, |f| {
                f.backup.as_mut().unwrap().age_hours = None;
            }),
            (Gate::Backup, Verdict::Fail, |f| {
                f.backup.as_mut().unwrap().age_hours = Some(25);
            }),
            (Gate::Monitoring, Verdict::Fail, |f| {
                f.monitoring.as_mut().unwrap().silent = vec!["app".into()];
            }),
            (Gate::CapacityPlan, Verdict::Fail, |f| {
                f.capacity.as_mut().unwrap().quota = Some(4);
            }),
            (Gate::CapacityPlan, Verdict::Fail, |f| {
                f.capacity.as_mut().unwrap().monthly_budget = Some(99.0);
            }),
            (Gate::NoOtherChange, Verdict::Fail, |f| {
                f.other_change = Ok(Some("a change to 7".into()));
            }),
        ];
        for (gate, expected, spoil) in cases {
            let mut facts = good();
            spoil(&mut facts);
            let report = before(&facts);
            let refused: Vec<(Gate, Verdict)> = report
                .refusals()
                .map(|finding| (finding.gate, finding.verdict))
                .collect();
            assert_eq!(refused, [(gate, expected)]);
            assert!(!report.passed());
        }
    }
}
