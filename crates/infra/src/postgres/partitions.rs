//! How the records are spread over partitions by facility, and the division of one that has grown too large, while everybody works:
//! the parts are filled beside it, what is written meanwhile is mirrored, both are proven to hold the same, and then they change
//! places in a moment.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio_postgres::{Client, Transaction, error::SqlState};

use super::{Error, Result, audit, migrate, stages};

/// Rows that are copied, and locked for writers, at a time.
const BATCH: i64 = 500;
/// Between batches, so that others get on.
const REST: Duration = Duration::from_millis(5);
/// Whoever waits for a lock on the whole table has everybody wait behind it, so it gives up soon and tries again.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '500ms'";
const AGAIN_AFTER: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    pub name: String,
    pub modulus: i32,
    pub remainder: i32,
    /// Facilities whose records are here.
    pub facilities: i64,
    /// As the server's statistics have it.
    pub rows: i64,
    /// With its indexes.
    pub bytes: i64,
}

/// A division that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Division {
    pub of: String,
    pub into: [String; 2],
    pub rows: i64,
    /// How long nobody could work with the records.
    pub held: Duration,
}

/// All of them, by remainder.
pub async fn list(client: &Client) -> Result<Vec<Partition>> {
    let rows = client
        .query(
            "SELECT p.name, p.modulus, p.remainder, p.rows, p.bytes,
                    (SELECT count(*) FROM facilities f WHERE satisfies_hash_partition('patient_records'::regclass, p.modulus, p.remainder, f.id)) AS facilities
             FROM (SELECT c.relname::text AS name, bound[1]::integer AS modulus, bound[2]::integer AS remainder,
                          coalesce(s.n_live_tup, 0) AS rows, pg_total_relation_size(c.oid) AS bytes
                   FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid,
                        regexp_match(pg_get_expr(c.relpartbound, c.oid), 'modulus (\\d+), remainder (\\d+)') AS bound
                   WHERE i.inhparent = 'patient_records'::regclass) p
             ORDER BY p.remainder, p.modulus",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Partition {
            name: row.get("name"),
            modulus: row.get("modulus"),
            remainder: row.get("remainder"),
            facilities: row.get("facilities"),
            rows: row.get("rows"),
            bytes: row.get("bytes"),
        })
        .collect())
}

/// Divides a partition in two by facility. `progress` hears how many rows are copied. What an earlier attempt left is removed first;
/// whatever goes wrong, the partition stays as it was.
///
/// # Errors
/// [`Error::NotTheSame`] when the parts do not hold what it holds. When a lock cannot be had for two minutes.
pub async fn divide(
    client: &mut Client,
    partition: &Partition,
    progress: &dyn Fn(i64),
) -> Result<Division> {
    // No migration meanwhile: it would change the table under the parts.
    client
        .execute("SELECT pg_advisory_lock($1)", &[&migrate::LOCK])
        .await?;
    let parts = Parts::of(partition);
    let divided = parts.divide(client, progress).await;
    if divided.is_err() {
        // The reason matters more; what is left is removed by the next attempt.
        let _ = parts.remove(client).await;
    }
    client
        .execute("SELECT pg_advisory_unlock($1)", &[&migrate::LOCK])
        .await?;
    divided
}

struct Parts<'a> {
    of: &'a str,
    modulus: i32,
    /// Remainder and name.
    first: (i32, String),
    second: (i32, String),
}

impl<'a> Parts<'a> {
    fn of(partition: &'a Partition) -> Self {
        let modulus = partition.modulus * 2;
        let part = |remainder: i32| {
            let name = format!("patient_records_part_{modulus}_{remainder}");
            (remainder, name)
        };
        Self {
            of: &partition.name,
            modulus,
            first: part(partition.remainder),
            second: part(partition.remainder + partition.modulus),
        }
    }

    fn both(&self) -> [&(i32, String); 2] {
        [&self.first, &self.second]
    }

    async fn divide(&self, client: &mut Client, progress: &dyn Fn(i64)) -> Result<Division> {
        self.remove(client).await?;
        self.make(client).await?;
        self.copy(client, progress).await?;
        let rows = self.prove(client).await?;
        let held = self.change_places(client, rows).await?;
        Ok(Division {
            of: self.of.to_owned(),
            into: [self.first.1.clone(), self.second.1.clone()],
            rows,
            held,
        })
    }

    /// What an attempt left that did not come to its end.
    async fn remove(&self, client: &mut Client) -> Result<()> {
        let (of, first, second) = (self.of, &self.first.1, &self.second.1);
        in_time(client, async |tx| {
            tx.batch_execute(&format!(
                "DROP TRIGGER IF EXISTS mirror_to_parts ON {of}; DROP TABLE IF EXISTS {first}, {second}"
            ))
            .await?;
            Ok(())
        })
        .await
    }

    /// The trigger waits for whoever writes now, so from its beginning on nothing is missed.
    async fn make(&self, client: &mut Client) -> Result<()> {
        let (of, modulus) = (self.of, self.modulus);
        let (remainder, first) = &self.first;
        let second = &self.second.1;
        let mut sql = String::new();
        for (remainder, part) in self.both() {
            sql += &format!(
                "CREATE TABLE {part} (LIKE {of} INCLUDING ALL);
                 ALTER TABLE {part} ADD FOREIGN KEY (signed_by) REFERENCES users (id);
                 ALTER TABLE {part} ENABLE ROW LEVEL SECURITY;
                 CREATE POLICY {part}_of_facility ON {part}
                     USING (facility_id = current_facility()) WITH CHECK (facility_id = current_facility());
                 GRANT SELECT, INSERT, UPDATE ON {part} TO hysio_app;
                 DO $$ BEGIN EXECUTE format('ALTER TABLE {part} ADD CONSTRAINT its_place
                     CHECK (satisfies_hash_partition(%s::oid, {modulus}, {remainder}, facility_id))', 'patient_records'::regclass::oid); END $$;\n"
            );
        }
        sql += &format!(
            "CREATE TRIGGER mirror_to_parts AFTER INSERT OR UPDATE OR DELETE ON {of}
                 FOR EACH ROW EXECUTE FUNCTION mirror_to_parts('{modulus}', '{remainder}', '{first}', '{second}')"
        );
        in_time(client, async |tx| Ok(tx.batch_execute(&sql).await?)).await
    }

    /// In order of the key. A row that the trigger has brought already is the newer one.
    async fn copy(&self, client: &Client, progress: &dyn Fn(i64)) -> Result<()> {
        let (of, modulus) = (self.of, self.modulus);
        let mut copies = String::new();
        for (number, (remainder, part)) in self.both().into_iter().enumerate() {
            copies += &format!(
                ", copied_{number} AS (INSERT INTO {part} SELECT * FROM next
                     WHERE satisfies_hash_partition('patient_records'::regclass, {modulus}, {remainder}, facility_id) ON CONFLICT DO NOTHING)"
            );
        }
        let sql = format!(
            "WITH next AS MATERIALIZED (SELECT * FROM {of} WHERE (facility_id, id) > ($1, $2) ORDER BY facility_id, id LIMIT {BATCH} FOR SHARE)
                 {copies}
             SELECT facility_id, id, count(*) OVER () FROM next ORDER BY facility_id DESC, id DESC LIMIT 1"
        );
        let statement = client.prepare(&sql).await?;
        let (mut last, mut copied) = ((i32::MIN, i64::MIN), 0);
        while let Some(row) = client.query_opt(&statement, &[&last.0, &last.1]).await? {
            last = (row.get(0), row.get(1));
            copied += row.get::<_, i64>(2);
            progress(copied);
            tokio::time::sleep(REST).await;
        }
        Ok(())
    }

    /// At one moment, the parts together hold exactly the same rows.
    async fn prove(&self, client: &mut Client) -> Result<i64> {
        let tx = client
            .build_transaction()
            .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await?;
        let digest = async |rows: &str| {
            let sql = format!(
                "SELECT count(*), coalesce(bit_xor(hashtextextended(r::text, 0)), 0) FROM ({rows}) r"
            );
            let row = tx.query_one(&sql, &[]).await?;
            Ok::<(i64, i64), Error>((row.get(0), row.get(1)))
        };
        let whole = digest(&format!("SELECT * FROM {}", self.of)).await?;
        let parts = format!(
            "SELECT * FROM {} UNION ALL SELECT * FROM {}",
            self.first.1, self.second.1
        );
        if digest(&parts).await? != whole {
            return Err(Error::NotTheSame(self.of.to_owned()));
        }
        Ok(whole.0)
    }

    /// Returns how long everybody else waited.
    async fn change_places(&self, client: &mut Client, rows: i64) -> Result<Duration> {
        let (of, modulus) = (self.of, self.modulus);
        let mut attach = String::new();
        for (remainder, part) in self.both() {
            attach += &format!(
                "ALTER TABLE patient_records ATTACH PARTITION {part} FOR VALUES WITH (MODULUS {modulus}, REMAINDER {remainder});
                 ALTER TABLE {part} DROP CONSTRAINT its_place;\n"
            );
        }
        let details = json!({ "into": [self.first.1, self.second.1], "rows": rows });
        let event = stages::audit(
            None,
            "owner",
            "partition.divide",
            ("partition", of.to_owned()),
            details,
        );
        in_time(client, async |tx| {
            tx.batch_execute("LOCK TABLE patient_records IN ACCESS EXCLUSIVE MODE")
                .await?;
            let begun = Instant::now();
            tx.batch_execute(&format!(
                "ALTER TABLE patient_records DETACH PARTITION {of}; DROP TABLE {of};\n{attach}"
            ))
            .await?;
            let columns = audit::Columns::from(std::slice::from_ref(&event));
            tx.execute(audit::INSERT, &columns.params()).await?;
            Ok(begun.elapsed())
        })
        .await
    }
}

/// A transaction whose locks are tried for again and again, each time for a moment only.
async fn in_time<T>(
    client: &mut Client,
    work: impl AsyncFn(&Transaction<'_>) -> std::result::Result<T, tokio_postgres::Error>,
) -> Result<T> {
    let begun = Instant::now();
    loop {
        let tx = client.transaction().await?;
        tx.batch_execute(LOCK_TIMEOUT).await?;
        match work(&tx).await {
            Ok(done) => {
                tx.commit().await?;
                return Ok(done);
            }
            Err(error) => {
                tx.rollback().await?;
                let passing = [
                    SqlState::LOCK_NOT_AVAILABLE,
                    SqlState::T_R_DEADLOCK_DETECTED,
                ];
                let may_pass = error.code().is_some_and(|code| passing.contains(code));
                if !may_pass || begun.elapsed() > PATIENCE {
                    return Err(error.into());
                }
            }
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

/// The partition to divide next so that none is much larger than the others: the largest, if it holds twice what they do at
/// the middle and more than one facility.
#[must_use]
pub fn next_to_divide(partitions: &[Partition]) -> Option<&Partition> {
    let mut sizes: Vec<i64> = partitions.iter().map(|it| it.bytes).collect();
    sizes.sort_unstable();
    let middle = *sizes.get(sizes.len().checked_sub(1)? / 2)?;
    partitions
        .iter()
        .filter(|it| it.facilities > 1 && it.bytes > middle.saturating_mul(2))
        .max_by_key(|it| it.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(remainder: i32, facilities: i64, bytes: i64) -> Partition {
        Partition {
            name: format!("patient_records_part_{remainder}"),
            modulus: 4,
            remainder,
            facilities,
            rows: 0,
            bytes,
        }
    }

    #[test]
    fn the_largest_is_divided_if_it_stands_out_and_can_be() {
        let of = |sizes: [(i64, i64); 4]| {
            let all: Vec<_> = (0..)
                .zip(sizes)
                .map(|(at, (facilities, bytes))| partition(at, facilities, bytes))
                .collect();
            next_to_divide(&all).map(|it| it.remainder)
        };
        assert_eq!(of([(3, 100), (3, 110), (3, 90), (3, 120)]), None, "even");
        assert_eq!(of([(3, 100), (3, 500), (3, 90), (3, 120)]), Some(1));
        assert_eq!(
            of([(3, 100), (1, 500), (3, 90), (3, 120)]),
            None,
            "one facility"
        );
        assert_eq!(of([(3, 100), (1, 500), (3, 90), (2, 320)]), Some(3));
        assert_eq!(next_to_divide(&[]), None);
    }

    #[test]
    fn two_parts_take_what_one_took() {
        let whole = partition(3, 5, 0);
        let parts = Parts::of(&whole);
        assert_eq!(parts.modulus, 8);
        assert_eq!(parts.first, (3, "patient_records_part_8_3".to_owned()));
        assert_eq!(parts.second, (7, "patient_records_part_8_7".to_owned()));
    }
}
