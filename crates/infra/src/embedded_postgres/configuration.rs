//! The server's configuration, written anew at each start. An operator's own settings go into `postgresql.local.conf` in the
//! data directory, which is read last.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::{Durability, Settings};

const MIB: u64 = 1024 * 1024;

/// Beside `postgresql.conf`, which `initdb` fills with what it found to work on this machine, and which includes it.
pub(super) const FILE: &str = "hysio.conf";

/// `pg_hba.conf`: only the socket, and only whoever the operating system lets into its directory.
/// `all` does not mean replication, which is how backups are taken.
pub(super) const ACCESS: &str = "local all all trust\nlocal replication postgres trust\n";

/// The server's share of this machine, which it shares with the speech engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    /// Physical memory, in bytes.
    total: u64,
}

impl Memory {
    /// A machine that doesn't say is taken for a small one.
    pub fn of_this_machine() -> Self {
        let total = fs::read_to_string("/proc/meminfo")
            .ok()
            .and_then(|text| total_memory(&text));
        Self {
            total: total.unwrap_or(1024 * MIB),
        }
    }

    fn shared_buffers(self) -> u64 {
        (self.total / 16).clamp(64 * MIB, 2048 * MIB)
    }

    /// Every connection may sort at once and the machine still has memory left.
    fn work_memory(self, connections: u16) -> u64 {
        (self.total / 8 / u64::from(connections.max(1))).clamp(MIB, 64 * MIB)
    }
}

/// The text of [`FILE`].
pub(super) fn server(
    settings: &Settings,
    memory: Memory,
    socket: &Path,
    archive: Option<&Path>,
) -> String {
    let connections = settings.max_connections;
    let mut text = String::new();
    let mut set = |key: &str, value: &str| {
        writeln!(text, "{key} = '{}'", value.replace('\'', "''"))
            .expect("writing to a string never fails");
    };
    set("listen_addresses", "");
    set("unix_socket_directories", &socket.display().to_string());
    set("unix_socket_permissions", "0700");
    set("max_connections", &connections.to_string());
    set("password_encryption", "scram-sha-256");

    set("shared_buffers", &mebibytes(memory.shared_buffers()));
    set("work_mem", &mebibytes(memory.work_memory(connections)));
    set(
        "maintenance_work_mem",
        &mebibytes((memory.total / 64).clamp(32 * MIB, 512 * MIB)),
    );
    set("effective_cache_size", &mebibytes(memory.total / 2));
    set("jit", "off");

    let kept = if settings.durability == Durability::Durable {
        "on"
    } else {
        "off"
    };
    set("fsync", kept);
    set("synchronous_commit", kept);
    set("full_page_writes", kept);
    set("wal_level", "replica");
    set("max_wal_size", "1GB");
    if let (Some(directory), Some(archive)) = (archive, &settings.archive) {
        // The library fsyncs and renames; a shell command would have to.
        set("archive_mode", "on");
        set("archive_library", "basic_archive");
        set(
            "basic_archive.archive_directory",
            &directory.display().to_string(),
        );
        set(
            "archive_timeout",
            &format!("{}s", archive.timeout.as_secs()),
        );
    }

    set("timezone", "UTC");
    set("log_timezone", "UTC");
    set("lc_messages", "C");
    quiet_log(&mut set);
    set("include_if_exists", "../postgresql.local.conf");
    text.replace("include_if_exists = ", "include_if_exists ")
}

/// Statements, parameters and rejected rows hold patient data. Errors go to the client alone; the log is about the server.
fn quiet_log(set: &mut impl FnMut(&str, &str)) {
    set("log_destination", "stderr");
    set("logging_collector", "off");
    set("log_line_prefix", "%m [%p] ");
    set("log_min_messages", "log");
    set("log_min_error_statement", "panic");
    set("log_error_verbosity", "terse");
    set("log_statement", "none");
    set("log_min_duration_statement", "-1");
    set("log_parameter_max_length", "0");
    set("log_parameter_max_length_on_error", "0");
    set("log_checkpoints", "off");
    set("log_autovacuum_min_duration", "-1");
}

fn mebibytes(bytes: u64) -> String {
    format!("{}MB", bytes / MIB)
}

/// `MemTotal:  16384 kB` of `/proc/meminfo`, in bytes.
fn total_memory(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(durability: Durability, socket: &str) -> String {
        let settings = Settings {
            durability,
            ..Settings::new("/install", "/data")
        };
        server(
            &settings,
            Memory {
                total: 24 * 1024 * MIB,
            },
            Path::new(socket),
            None,
        )
    }

    #[test]
    fn the_server_never_listens_on_the_network_and_never_logs_a_statement() {
        let text = text(Durability::Durable, "/data/socket");
        for line in [
            "listen_addresses = ''",
            "log_statement = 'none'",
            "log_min_messages = 'log'",
            "fsync = 'on'",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is missing in:\n{text}"
            );
        }
    }

    #[test]
    fn only_a_discardable_server_skips_flushing() {
        assert!(text(Durability::Discardable, "/s").contains("fsync = 'off'"));
        assert!(!text(Durability::Durable, "/s").contains("fsync = 'off'"));
    }

    #[test]
    fn a_quote_in_the_path_stays_inside_the_value() {
        assert!(
            text(Durability::Durable, "/o'brien").contains("unix_socket_directories = '/o''brien'")
        );
    }

    #[test]
    fn all_connections_sorting_at_once_leave_half_of_the_machine_free() {
        for gibibytes in [1, 2, 4, 24, 256] {
            let total = gibibytes * 1024 * MIB;
            let memory = Memory { total };
            assert!(
                memory.shared_buffers() + 200 * memory.work_memory(200) <= total / 2,
                "{gibibytes} GiB"
            );
        }
    }

    #[test]
    fn the_machine_says_how_much_memory_it_has() {
        assert_eq!(
            total_memory("MemTotal:       16384 kB\nMemFree: 1 kB\n"),
            Some(16 * MIB)
        );
        assert_eq!(total_memory("nothing"), None);
    }
}
