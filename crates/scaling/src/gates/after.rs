//! What must hold after a change, before it is called complete.

use serde::{Deserialize, Serialize};

use super::{
    AuditFacts, DatabaseFacts, Finding, Gate, Known, MonitoringFacts, Report, Verdict,
    before::{audit, database, monitoring},
    verdict,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AfterFacts {
    /// The count that was asked for.
    pub wanted: i32,
    pub instances: Known<Vec<InstanceFacts>>,
    pub database: Known<DatabaseFacts>,
    pub audit: Known<AuditFacts>,
    pub monitoring: Known<MonitoringFacts>,
    /// A digest over a sample of stored records that never change, taken before and now.
    pub records_before: Known<String>,
    pub records_now: Known<String>,
    pub service_before: Known<ServiceFacts>,
    pub service_now: Known<ServiceFacts>,
}

impl AfterFacts {
    /// Nothing could be collected, for one reason.
    #[must_use]
    pub fn unknown(wanted: i32, why: &str) -> Self {
        Self {
            wanted,
            instances: Err(why.to_owned()),
            database: Err(why.to_owned()),
            audit: Err(why.to_owned()),
            monitoring: Err(why.to_owned()),
            records_before: Err(why.to_owned()),
            records_now: Err(why.to_owned()),
            service_before: Err(why.to_owned()),
            service_now: Err(why.to_owned()),
        }
    }
}

/// What one instance found when it checked itself, and whether it is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceFacts {
    pub name: String,
    pub ready: bool,
    pub encryption: bool,
    pub audit: bool,
    pub access_control: bool,
}

/// How requests and jobs fared over a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceFacts {
    pub requests: u64,
    pub errors: u64,
    pub p95_ms: f64,
}

/// Below this many requests a share of errors says nothing.
const REQUESTS_MIN: u64 = 20;

/// A p95 of fewer is made by a handful: of 40 requests, by the three that shared a core with a process that was starting.
const TIMED_REQUESTS_MIN: u64 = 200;
/// The share of errors may grow by this much: one in a hundred.
const ERROR_SHARE_MORE_MAX: f64 = 0.01;
/// The 95th percentile may grow by this factor, and anything under the floor of the promises is fine.
const P95_FACTOR_MAX: f64 = 1.5;
const P95_FINE_MS: f64 = 200.0;

/// Judges the facts. A resource without processes (connections, memory) has no instances to ask; then the running services
/// are asked.
#[must_use]
pub fn after(facts: &AfterFacts) -> Report {
    let instances = |gate, holds: fn(&InstanceFacts) -> bool| {
        Finding::of(gate, &facts.instances, |all| every(all, holds))
    };
    Report {
        findings: vec![
            Finding::of(Gate::Readiness, &facts.instances, |all| {
                let ready = all.iter().filter(|instance| instance.ready).count();
                let enough = i32::try_from(ready).is_ok_and(|ready| ready >= facts.wanted);
                (
                    verdict(enough),
                    format!("{ready} ready, {} asked for", facts.wanted),
                )
            }),
            instances(Gate::InstanceEncryption, |instance| instance.encryption),
            instances(Gate::InstanceAudit, |instance| instance.audit),
            instances(Gate::AccessControl, |instance| instance.access_control),
            Finding::of(Gate::DatabaseIntegrity, &facts.database, database),
            Finding::of(Gate::AuditTrail, &facts.audit, audit),
            Finding::of(Gate::Monitoring, &facts.monitoring, monitoring),
            patient_data(facts),
            performance(facts),
        ],
    }
}

fn every(all: &[InstanceFacts], holds: fn(&InstanceFacts) -> bool) -> (Verdict, String) {
    let failing: Vec<&str> = all
        .iter()
        .filter(|instance| !holds(instance))
        .map(|instance| instance.name.as_str())
        .collect();
    if failing.is_empty() {
        (Verdict::Pass, format!("{} of {} can", all.len(), all.len()))
    } else {
        (Verdict::Fail, format!("{} cannot", failing.join(", ")))
    }
}

fn patient_data(facts: &AfterFacts) -> Finding {
    let both = match (&facts.records_before, &facts.records_now) {
        (Ok(before), Ok(now)) => Ok((before, now)),
        (Err(why), _) | (_, Err(why)) => Err(why.clone()),
    };
    Finding::of(Gate::PatientData, &both, |(before, now)| {
        if before == now {
            (Verdict::Pass, format!("the sample's digest is still {now}"))
        } else {
            (
                Verdict::Fail,
                format!("the sample's digest was {before} and is {now}"),
            )
        }
    })
}

fn performance(facts: &AfterFacts) -> Finding {
    let both = match (&facts.service_before, &facts.service_now) {
        (Ok(before), Ok(now)) => Ok((*before, *now)),
        (Err(why), _) | (_, Err(why)) => Err(why.clone()),
    };
    Finding::of(Gate::WorkflowPerformance, &both, |(before, now)| {
        let said = format!(
            "{} of {} requests failed, before {} of {}; p95 {:.0} ms, before {:.0} ms",
            now.errors, now.requests, before.errors, before.requests, now.p95_ms, before.p95_ms
        );
        let errors_fine = now.requests < REQUESTS_MIN
            || error_share(*now) <= error_share(*before) + ERROR_SHARE_MORE_MAX;
        let enough = now.requests.min(before.requests) >= TIMED_REQUESTS_MIN;
        let latency_fine =
            !enough || now.p95_ms <= P95_FINE_MS || now.p95_ms <= before.p95_ms * P95_FACTOR_MAX;
        (verdict(errors_fine && latency_fine), said)
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "requests of a minute are far below 2^52"
)]
fn error_share(facts: ServiceFacts) -> f64 {
    if facts.requests == 0 {
        0.0
    } else {
        facts.errors as f64 / facts.requests as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(name: &str) -> InstanceFacts {
        InstanceFacts {
            name: name.into(),
            ready: true,
            encryption: true,
            audit: true,
            access_control: true,
        }
    }

    fn good() -> AfterFacts {
        let service = ServiceFacts {
            requests: 1_000,
            errors: 1,
            p95_ms: 100.0,
        };
        let before = super::super::before::tests::good();
        AfterFacts {
            wanted: 2,
            instances: Ok(vec![instance("a"), instance("b")]),
            database: before.database,
            audit: before.audit,
            monitoring: before.monitoring,
            records_before: Ok("ab12".into()),
            records_now: Ok("ab12".into()),
            service_before: Ok(service),
            service_now: Ok(service),
        }
    }

    #[test]
    fn good_facts_pass_every_gate() {
        let report = after(&good());
        assert!(report.passed(), "{}", report.why_not());
    }

    type Spoil = fn(&mut AfterFacts);

    #[test]
    fn each_gate_refuses_what_it_is_there_for() {
        let cases: [(Gate, Verdict, Spoil); 9] = [
            (Gate::Readiness, Verdict::Fail, |f| {
                f.instances.as_mut().unwrap()[1].ready = false;
            }),
            (Gate::InstanceEncryption, Verdict::Fail, |f| {
                f.instances.as_mut().unwrap()[1].encryption = false;
            }),
            (Gate::InstanceAudit, Verdict::Fail, |f| {
                f.instances.as_mut().unwrap()[0].audit = false;
            }),
            (Gate::AccessControl, Verdict::Fail, |f| {
                f.instances.as_mut().unwrap()[0].access_control = false;
            }),
            (Gate::DatabaseIntegrity, Verdict::Error, |f| {
                f.database = Err("away".into());
            }),
            (Gate::PatientData, Verdict::Fail, |f| {
                f.records_now = Ok("cd34".into());
            }),
            (Gate::PatientData, Verdict::Error, |f| {
                f.records_before = Err("not taken".into());
            }),
            (Gate::WorkflowPerformance, Verdict::Fail, |f| {
                f.service_now.as_mut().unwrap().errors = 12;
            }),
            (Gate::WorkflowPerformance, Verdict::Fail, |f| {
                f.service_now.as_mut().unwrap().p95_ms = 201.0;
            }),
        ];
        for (gate, expected, spoil) in cases {
            let mut facts = good();
            spoil(&mut facts);
            let refused: Vec<(Gate, Verdict)> = after(&facts)
                .refusals()
                .map(|finding| (finding.gate, finding.verdict))
                .collect();
            assert_eq!(refused, [(gate, expected)]);
        }
    }

    #[test]
    fn a_few_requests_are_no_reason_to_roll_back() {
        let mut facts = good();
        facts.service_now = Ok(ServiceFacts {
            requests: 3,
            errors: 3,
            p95_ms: 900.0,
        });
        assert!(after(&facts).passed());
        facts.service_now = Ok(ServiceFacts {
            requests: 46,
            errors: 0,
            p95_ms: 250.0,
        });
        assert!(after(&facts).passed());
    }
}
