//! What the probes of the simulated world find.

use hysio_scaling::gates::{
    AfterFacts, AuditFacts, BackupFacts, BeforeFacts, CapacityFacts, DatabaseFacts, DuringFacts,
    InstanceFacts, KeyFacts, MonitoringFacts, ServiceFacts,
};
use jiff::Timestamp;

use crate::transaction::{Baseline, Change, Counters};

const DIGEST: &str = "5eed";

/// `holds`: whether every check does; otherwise a service is silent.
pub(super) fn before(change: &Change, holds: bool) -> BeforeFacts {
    BeforeFacts {
        utilisation: Ok("12 jobs wait".to_owned()),
        database: Ok(database()),
        keys: Ok(keys()),
        audit: Ok(audit()),
        backup: Ok(BackupFacts {
            age_hours: Some(1),
            age_hours_max: 24,
        }),
        monitoring: Ok(monitoring(holds)),
        capacity: Ok(CapacityFacts {
            resource: change.resource,
            wanted: change.new,
            min: 0,
            max: 100,
            quota: None,
            monthly_cost: 1.0,
            monthly_budget: None,
        }),
        other_change: Ok(None),
    }
}

pub(super) fn baseline(until: Timestamp) -> Baseline {
    Baseline {
        records: Ok(DIGEST.to_owned()),
        records_until: until,
        service: Ok(service()),
        counters: Counters::default(),
    }
}

pub(super) fn during(holds: bool) -> DuringFacts {
    DuringFacts {
        keys: Ok(keys()),
        audit: Ok(audit()),
        monitoring: Ok(monitoring(holds)),
    }
}

/// `ready`: of each instance, whether it is.
pub(super) fn after(
    change: &Change,
    baseline: &Baseline,
    ready: impl Iterator<Item = bool>,
    holds: bool,
) -> AfterFacts {
    let instances = ready.enumerate().map(|(number, ready)| InstanceFacts {
        name: number.to_string(),
        ready,
        encryption: true,
        audit: true,
        access_control: true,
    });
    AfterFacts {
        wanted: change.new,
        instances: Ok(instances.collect()),
        database: Ok(database()),
        audit: Ok(audit()),
        monitoring: Ok(monitoring(holds)),
        records_before: baseline.records.clone(),
        records_now: Ok(DIGEST.to_owned()),
        service_before: baseline.service.clone(),
        service_now: Ok(service()),
    }
}

fn database() -> DatabaseFacts {
    DatabaseFacts {
        in_recovery: false,
        schema: 1,
        schema_needed: 1,
        checksum_failures: 0,
        invalid_indexes: 0,
    }
}

fn keys() -> KeyFacts {
    KeyFacts {
        tried: 1,
        decrypted: 1,
    }
}

fn audit() -> AuditFacts {
    AuditFacts {
        proven_before: 0,
        proven: 1,
        size: 1,
        broken: None,
        writable: true,
        waiting_seconds: 0,
    }
}

fn monitoring(holds: bool) -> MonitoringFacts {
    MonitoringFacts {
        asked: vec!["app".to_owned()],
        silent: if holds {
            vec![]
        } else {
            vec!["app".to_owned()]
        },
    }
}

fn service() -> ServiceFacts {
    ServiceFacts {
        requests: 100,
        errors: 0,
        p95_ms: 20.0,
    }
}
