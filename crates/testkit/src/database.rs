//! A database of its own for each test, copied from a migrated template.

use std::any::type_name;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use anyhow::{Context, Result};
use hysio_infra::embedded_postgres::{APPLICATION_ROLE, Login, OWNER_ROLE};
use tokio_postgres::{Client, Config};

use crate::cluster::{Cluster, connect};

/// An empty, migrated database. It is dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    cluster: &'static Cluster,
    name: String,
}

impl TestDatabase {
    /// `migrate` gets the owner's connection settings and runs once for each test program; the others copy its result.
    ///
    /// # Errors
    /// When the server can't be started (it says how to install it), or `migrate` fails.
    pub async fn new<M, F>(migrate: M) -> Result<Self>
    where
        M: FnOnce(Config) -> F,
        F: Future<Output = Result<()>>,
    {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let cluster = Cluster::get().await?;
        let template = template_name::<M>();
        let client = connect(&cluster.config(Login::Superuser)).await?;
        ensure_template(&client, cluster, &template, migrate).await?;

        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        client
            .batch_execute(&format!(
                "CREATE DATABASE {name} TEMPLATE {template} OWNER {OWNER_ROLE}"
            ))
            .await?;
        let rights = format!(
            "REVOKE ALL ON DATABASE {name} FROM PUBLIC; GRANT CONNECT ON DATABASE {name} TO {APPLICATION_ROLE}"
        );
        client.batch_execute(&rights).await?;
        Ok(Self { cluster, name })
    }

    /// How a role connects to this database.
    #[must_use]
    pub fn config(&self, login: Login) -> Config {
        let mut config = self.cluster.config(login);
        config.dbname(&self.name);
        config
    }

    /// The same as text, for a configuration file or an environment variable.
    #[must_use]
    pub fn connection_string(&self, login: Login) -> String {
        self.cluster.connection_string(login, &self.name)
    }

    /// A connection; it ends with the client.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn connect(&self, login: Login) -> Result<Client> {
        connect(&self.config(login)).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let config = self.cluster.config(Login::Superuser);
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A runtime of its own: the test's may be gone already. A database that stays goes with the server.
        let _ = thread::spawn(move || drop_database(&config, &statement)).join();
    }
}

fn drop_database(config: &Config, statement: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let client = connect(config).await?;
        Ok(client.batch_execute(statement).await?)
    })
}

/// Makes the template unless it is there. `datistemplate` is set last, so a half-made one is recognised and made again.
async fn ensure_template<M, F>(
    client: &Client,
    cluster: &Cluster,
    template: &str,
    migrate: M,
) -> Result<()>
where
    M: FnOnce(Config) -> F,
    F: Future<Output = Result<()>>,
{
    // Held until the transaction ends; other test processes wait here.
    client
        .batch_execute("SELECT pg_advisory_lock(7243)")
        .await?;
    let made = make_template(client, cluster, template, migrate).await;
    client
        .batch_execute("SELECT pg_advisory_unlock(7243)")
        .await?;
    made.with_context(|| format!("making the template database {template}"))
}

async fn make_template<M, F>(
    client: &Client,
    cluster: &Cluster,
    template: &str,
    migrate: M,
) -> Result<()>
where
    M: FnOnce(Config) -> F,
    F: Future<Output = Result<()>>,
{
    let found = client
        .query_opt(
            "SELECT datistemplate FROM pg_database WHERE datname = $1",
            &[&template],
        )
        .await?;
    if found.is_some_and(|row| row.get(0)) {
        return Ok(());
    }
    client
        .batch_execute(&format!("DROP DATABASE IF EXISTS {template} WITH (FORCE)"))
        .await?;
    client
        .batch_execute(&format!("CREATE DATABASE {template} OWNER {OWNER_ROLE}"))
        .await?;
    let mut config = cluster.config(Login::Owner);
    config.dbname(template);
    migrate(config).await?;
    let statement =
        format!("ALTER DATABASE {template} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false");
    client.batch_execute(&statement).await?;
    // A template with a session can't be copied; what `migrate` left behind is ended.
    let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1";
    client.query(end, &[&template]).await?;
    Ok(())
}

/// One template for each test program as built, and for each migration in it: a rebuilt program makes a new one.
fn template_name<M>() -> String {
    let mut hasher = DefaultHasher::new();
    type_name::<M>().hash(&mut hasher);
    if let Ok(program) = std::env::current_exe() {
        let built = fs::metadata(&program).and_then(|data| data.modified()).ok();
        (program, built).hash(&mut hasher);
    }
    format!("template_{:016x}", hasher.finish())
}
