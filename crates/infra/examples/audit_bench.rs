//! How fast the audit trail is written and proven, on one core:
//! `cargo run --release -p hysio-infra --example audit_bench -- 1000000`

use std::time::{Duration, Instant};

use hysio_infra::audit::{Entry, ExportCheck, Exporter, Log, SigningKeys, verify_export};
use hysio_model::{
    audit::{AuditEvent, Outcome},
    id::FacilityId,
};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

const BATCH: u64 = 256;

fn main() {
    let count = std::env::args()
        .nth(1)
        .map_or(100_000, |text| text.parse().expect("a number of entries"));
    let folder = tempfile::tempdir().expect("a folder to write to");
    let keys = SigningKeys::generate_file(&folder.path().join("key"), "bench/audit")
        .expect("a key file can be written");
    let events: Vec<AuditEvent> = (0..count).map(event).collect();

    let mut log = Log::default();
    let mut lines = Vec::new();
    let mut checkpoints = Vec::new();
    measure("append and sign", count, || {
        for event in &events {
            lines.push(log.append(event));
            if log.size().is_multiple_of(BATCH) || log.size() == count {
                checkpoints.push(log.sign(&keys, event.at));
            }
        }
    });

    let mut exporter = Exporter::new(Vec::new(), keys.verifying(), Timestamp::UNIX_EPOCH)
        .expect("memory can be written");
    let mut checkpoints = checkpoints.iter().peekable();
    let mut export = Vec::new();
    measure("export", count, || {
        for (event, leaf) in events.iter().zip(&lines) {
            let entry = Entry {
                event: event.clone(),
                leaf: Some(*leaf),
            };
            exporter.entry(&entry).expect("memory can be written");
            if let Some(checkpoint) = checkpoints.next_if(|next| next.size == leaf.index + 1) {
                exporter
                    .checkpoint(checkpoint)
                    .expect("memory can be written");
            }
        }
        export = exporter.finish().expect("memory can be written");
    });
    println!("export: {} MB", export.len() / 1_000_000);

    let check = ExportCheck {
        keys: Some(keys.verifying()),
        witness: None,
        waiting_bound: Duration::ZERO,
    };
    measure("verify the export", count, || {
        let report = verify_export(export.as_slice(), &check).expect("an export");
        assert!(report.is_proven() && report.entries == count);
    });
}

fn event(n: u64) -> AuditEvent {
    AuditEvent {
        id: Uuid::from_u128(u128::from(n)),
        at: Timestamp::UNIX_EPOCH,
        facility: Some(FacilityId(1)),
        actor: Uuid::from_u128(7).to_string(),
        action: "record.read".to_owned(),
        resource: "record".to_owned(),
        resource_id: n.to_string(),
        outcome: Outcome::Success,
        details: json!({"version": 3, "fields": ["assessment", "plan"]}),
    }
}

fn measure(what: &str, count: u64, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{what}: {seconds:.2} s, {:.0} entries a second",
        f64::from(u32::try_from(count).expect("under 2^32")) / seconds
    );
}
