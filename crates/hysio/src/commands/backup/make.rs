//! Making a backup and noting it in the database: for the command, and for `hysio up` from time to time.

use hysio_infra::{
    backup::{self, Created, Keys, Options, Source, Store, Watcher, gently},
    embedded_postgres::{EmbeddedPostgres, Login, Settings, socket_dir},
    postgres::{backups, migrate},
};

use crate::{config::Config, start::owner_config};

#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub with_keys: bool,
    /// Takes minutes to begin, so that nobody notices.
    pub spread: bool,
}

/// Makes one, on a thread of low priority, and notes it in the database with its audit entry. A failure is noted too.
pub async fn create(
    config: &Config,
    store: &Store,
    request: Request,
    watcher: impl Watcher + Send + 'static,
) -> anyhow::Result<Created> {
    let mut client = migrate::connect(&owner_config(config)?).await?;
    let source = source(config, request)?;
    let options = Options {
        keep: config.backup.keep,
        rate: Some(config.backup.megabytes_per_second.saturating_mul(1024)),
        spread: request.spread,
        ..Options::default()
    };
    let thread_store = store.clone();
    let made = gently(move || backup::create(&thread_store, &source, options, &watcher)).await;
    let created = match made {
        Ok(created) => created,
        Err(error) => {
            if !matches!(error, backup::Error::Cancelled) {
                backups::record_failure(&client, &crate::telemetry::chain(&error)).await?;
            }
            return Err(error.into());
        }
    };
    let manifest = &created.manifest;
    let noted = backups::NewBackup {
        id: manifest.id,
        taken_at: manifest.taken_at,
        bytes: manifest.bytes(),
        files: manifest.count(),
        wal_until: Some(manifest.cluster.end_lsn.clone()),
        path: created.path.display().to_string(),
    };
    backups::record(&mut client, &noted, &created.removed).await?;
    Ok(created)
}

fn source(config: &Config, request: Request) -> anyhow::Result<Source> {
    Ok(Source {
        socket_dir: socket_dir(&std::path::absolute(config.paths.data.join("postgres"))?),
        recordings: config.paths.blobs(),
        keys: Keys {
            master: config.paths.master_key(),
            audit: config.paths.audit_key(),
            in_the_clear: request.with_keys,
        },
    })
}

/// Nothing when `hysio up` has the database running; else a server for as long as it is needed.
pub async fn running_server(config: &Config) -> anyhow::Result<Option<EmbeddedPostgres>> {
    let data = std::path::absolute(config.paths.data.join("postgres"))?;
    anyhow::ensure!(
        data.exists(),
        "{} holds no database yet: start `hysio up` once, or set paths.data (HYSIO__PATHS__DATA)",
        config.paths.data.display()
    );
    let answers = migrate::connect(&Login::Owner.config(&socket_dir(&data))).await;
    if answers.is_ok() {
        return Ok(None);
    }
    let install = std::path::absolute(config.paths.install.join("postgresql"))?;
    let settings = Settings {
        archive: config.archive()?,
        ..Settings::new(install, data)
    };
    Ok(Some(EmbeddedPostgres::start(settings).await?))
}
