//! Bringing a restored base backup forward to a point in time, by PostgreSQL's own archive recovery.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::chown;
use std::path::Path;

use jiff::Timestamp;

use super::account::Account;
use super::error::Error;
use super::{EmbeddedPostgres, Login, Settings, cluster_dir, database};

/// What the server says when the log ends before the wanted moment. What it replayed until then is all there is.
const ENDED_BEFORE: &str = "recovery ended before configured recovery target was reached";

/// How far to replay the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// To the end of the log.
    Latest,
    /// No further than the backup needs.
    Consistent,
    /// Every transaction that committed until then, and none after.
    Time(Timestamp),
}

/// A server that ended its recovery and takes writes.
#[derive(Debug)]
pub struct Recovered {
    pub server: EmbeddedPostgres,
    /// When the last transaction that was replayed committed; None if none was.
    pub last_commit: Option<Timestamp>,
    /// False when the log ended before the moment that was asked for.
    pub reached: bool,
}

/// Starts a server on the base backup in the data directory's `cluster/`, replays the segments in its `replay/`, and
/// returns when it takes writes. `replay/` is removed then.
///
/// # Errors
/// As [`EmbeddedPostgres::start`]; the server's own reason when the log cannot be replayed.
pub async fn recover(
    settings: Settings,
    target: Target,
    timeline: Option<u32>,
) -> Result<Recovered, Error> {
    let data_dir = settings.data_dir.clone();
    let cluster = cluster_dir(&data_dir);
    let own_settings = cluster.join("postgresql.auto.conf");
    let before =
        fs::read(&own_settings).map_err(|source| Error::io("read", &own_settings, source))?;
    ask_for_recovery(&cluster, target, timeline)?;
    adopt(&data_dir)?;
    let (server, reached) = match EmbeddedPostgres::start(settings.clone()).await {
        Err(Error::Ended { detail, .. }) if detail.contains(ENDED_BEFORE) => {
            write(&own_settings, &before)?;
            ask_for_recovery(&cluster, Target::Latest, timeline)?;
            adopt(&data_dir)?;
            (EmbeddedPostgres::start(settings).await?, false)
        }
        started => (started?, true),
    };
    write(&own_settings, &before)?;
    let replay = data_dir.join("replay");
    fs::remove_dir_all(&replay).map_err(|source| Error::io("remove", &replay, source))?;
    server.archive_histories_later()?;
    let client = database::connect(&server.config(Login::Superuser)).await?;
    let row = client
        .query_one("SELECT pg_last_xact_replay_timestamp()", &[])
        .await?;
    Ok(Recovered {
        last_commit: row.get(0),
        server,
        reached,
    })
}

impl EmbeddedPostgres {
    /// Recovery does not archive, so the history of the timeline that it began would stay out of the archive, and with it
    /// the way to everything written from here on. The next server that archives finds this mark.
    fn archive_histories_later(&self) -> Result<(), Error> {
        let log = self.home.cluster().join("pg_wal");
        let entries = fs::read_dir(&log).map_err(|source| Error::io("read", &log, source))?;
        for entry in entries {
            let entry = entry.map_err(|source| Error::io("read", &log, source))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".history") {
                let mark = format!("pg_wal/archive_status/{name}.ready");
                self.home
                    .write_cluster_file(&mark, "", self.account.as_ref())?;
            }
        }
        Ok(())
    }
}

fn ask_for_recovery(cluster: &Path, target: Target, timeline: Option<u32>) -> Result<(), Error> {
    write(&cluster.join("recovery.signal"), b"")?;
    let path = cluster.join("postgresql.auto.conf");
    let mut file = OpenOptions::new()
        .append(true)
        .open(&path)
        .map_err(|source| Error::io("open", &path, source))?;
    file.write_all(recovery_settings(target, timeline).as_bytes())
        .map_err(|source| Error::io("write", &path, source))
}

/// Read after everything else. The server works in its cluster's directory, so the paths need no quoting.
fn recovery_settings(target: Target, timeline: Option<u32>) -> String {
    let goal = match target {
        Target::Latest => String::new(),
        Target::Consistent => "recovery_target = 'immediate'\n".to_owned(),
        Target::Time(at) => format!("recovery_target_time = '{}'\n", server_time(at)),
    };
    let timeline = timeline.map_or_else(|| "latest".to_owned(), |number| number.to_string());
    format!(
        "restore_command = 'cp \"../replay/%f\" \"%p\"'\n{goal}\
         recovery_target_timeline = '{timeline}'\nrecovery_target_action = 'promote'\n\
         hot_standby = 'off'\narchive_mode = 'off'\n"
    )
}

/// A moment as the server reads it before it knows any abbreviation of a time zone, `Z` included. It counts microseconds
/// and rounds what is finer, which would let in a commit after the moment: so that is cut off.
fn server_time(at: Timestamp) -> impl std::fmt::Display {
    at.strftime("%Y-%m-%d %H:%M:%S%.6f+00")
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(path, bytes).map_err(|source| Error::io("write", path, source))
}

/// Gives a data directory that root has filled to the user that the server runs as.
fn adopt(data_dir: &Path) -> Result<(), Error> {
    match Account::for_cluster(data_dir)? {
        Some(account) => hand_over(data_dir, &account),
        None => Ok(()),
    }
}

fn hand_over(path: &Path, account: &Account) -> Result<(), Error> {
    chown(path, Some(account.user), Some(account.group))
        .map_err(|source| Error::io("hand over", path, source))?;
    if !path.is_dir() || path.is_symlink() {
        return Ok(());
    }
    let entries = fs::read_dir(path).map_err(|source| Error::io("read", path, source))?;
    for entry in entries {
        let entry = entry.map_err(|source| Error::io("read", path, source))?;
        hand_over(&entry.path(), account)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_wanted_moment_is_a_goal() {
        let at: Timestamp = "2026-03-01T12:00:00.5Z".parse().unwrap();
        assert!(
            recovery_settings(Target::Time(at), None)
                .contains("recovery_target_time = '2026-03-01 12:00:00.500000+00'")
        );
        assert!(recovery_settings(Target::Consistent, None).contains("'immediate'"));
        let latest = recovery_settings(Target::Latest, Some(3));
        assert!(!latest.contains("recovery_target_time =") && !latest.contains("immediate"));
        assert!(latest.contains("recovery_target_timeline = '3'"));
    }

    #[test]
    fn a_moment_is_never_rounded_up() {
        let at: Timestamp = "2026-03-01T12:00:00.123456999Z".parse().unwrap();
        assert_eq!(server_time(at).to_string(), "2026-03-01 12:00:00.123456+00");
    }
}
