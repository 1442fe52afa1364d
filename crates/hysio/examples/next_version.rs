//! Hysio as a version after this one would be: the same program with a schema that goes on. It adds something, and takes it away
//! when no process of an earlier version is left. For the test of a rolling upgrade.

use clap::Parser;
use hysio::cli::Cli;
use hysio_infra::postgres::migrate;

const EXPAND: &str = "
    ALTER TABLE patient_records ADD COLUMN reviewed_at timestamptz;
    CREATE INDEX idx_patient_records_reviewed ON patient_records (facility_id, reviewed_at) WHERE reviewed_at IS NOT NULL;
    CREATE VIEW records_to_review AS SELECT facility_id, id FROM patient_records WHERE reviewed_at IS NULL;
";
const CONTRACT: &str = "SELECT contract(1001); DROP VIEW records_to_review;";

fn main() -> std::process::ExitCode {
    migrate::go_on_with(vec![
        ("V1001__reviews", EXPAND),
        ("V1002__contract_reviews", CONTRACT),
    ]);
    Cli::parse().run()
}
