//! The three database servers: founded, copied, started.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::unistd::User;
use tokio::process::Command;

use crate::config::{DatabaseNode, Failover, Secret};

use super::{
    command,
    engines::Engines,
    files,
    plan::{DATABASES, Plan},
    run,
    secrets::{Secrets, private},
    supervisor::{Service, Stop, Supervisor},
};

const READY_WITHIN: Duration = Duration::from_secs(60);

pub(super) struct Databases<'a> {
    pub plan: &'a Plan,
    pub engines: &'a Engines,
    pub secrets: &'a Secrets,
    pub user: Option<&'a User>,
}

impl Databases<'_> {
    /// Starts all three. The first time the first is the primary and the others are copied from it; later each is what it
    /// was, by the files in its folder.
    pub async fn start(&self, supervisor: &mut Supervisor) -> anyhow::Result<()> {
        let founded = self.is_there(0);
        if !founded {
            self.found().await?;
        }
        self.password_file()?;
        let primary = self.primary();
        self.launch(primary, supervisor).await?;
        if !founded {
            self.roles().await?;
        }
        for number in (0..DATABASES.len()).filter(|number| *number != primary) {
            if !self.is_there(number) {
                self.replica(number).await?;
            }
            self.launch(number, supervisor).await?;
        }
        Ok(())
    }

    fn is_there(&self, number: usize) -> bool {
        self.plan
            .data(DATABASES[number])
            .join("PG_VERSION")
            .exists()
    }

    /// Who is no standby and not fenced off.
    fn primary(&self) -> usize {
        (0..DATABASES.len())
            .find(|number| {
                let name = DATABASES[*number];
                self.is_there(*number)
                    && !self.plan.data(name).join("standby.signal").exists()
                    && !self.plan.fence(name).exists()
            })
            .unwrap_or(0)
    }

    async fn found(&self) -> anyhow::Result<()> {
        let data = self.plan.data(DATABASES[0]);
        self.folder(&data)?;
        let mut initdb = self.program("initdb");
        initdb.args([
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--data-checksums",
        ]);
        initdb
            .args(["--auth-local=peer", "--auth-host=scram-sha-256", "-D"])
            .arg(&data);
        run(initdb, "initdb").await.map(drop)
    }

    /// Gives a server its settings, and the supervisor the server.
    async fn launch(&self, number: usize, supervisor: &mut Supervisor) -> anyhow::Result<()> {
        let name = DATABASES[number];
        let data = self.plan.data(name);
        let mut size = command(Path::new("/bin/sh"), None);
        size.arg(self.plan.etc("postgres/size.sh"))
            .arg(self.plan.database_megabytes.to_string())
            .arg("2");
        files::database(self.plan, number, &run(size, "size.sh").await?)?;
        files::hand_over(&files::database_etc(self.plan, name), self.user)?;
        self.folder(&files::socket(self.plan, name))?;
        let mut server = Service::new(name, &self.engines.postgres.join("postgres"));
        server.arguments = vec!["-D".into(), data.into(), "-c".into()];
        let mut config = std::ffi::OsString::from("config_file=");
        config.push(files::database_etc(self.plan, name).join("postgresql.conf"));
        server.arguments.push(config);
        server.user = self.user.cloned();
        server.fence = Some(self.plan.fence(name));
        // "Fast": sessions are ended, everything is written out.
        server.stop = Stop::Interrupt;
        server.log = Some(self.plan.log(name));
        server.address = Some((Plan::database_host(number), self.plan.database_port()).into());
        supervisor.add(server)?;
        if self.plan.fence(name).exists() {
            return Ok(());
        }
        self.until_ready(name).await
    }

    /// Whether it recovers to become a primary. Its `recovery.signal` is gone a moment before it takes writes.
    fn is_restoring(&self, name: &str) -> bool {
        !self.plan.data(name).join("standby.signal").exists()
    }

    async fn until_ready(&self, name: &str) -> anyhow::Result<()> {
        let mut deadline = tokio::time::Instant::now() + READY_WITHIN;
        loop {
            let asked = run(self.psql(name, "SELECT pg_is_in_recovery()"), "psql").await;
            match asked {
                // One that was restored replays its log first, and takes as long as there is log.
                Ok(said) if said.trim() == "t" && self.is_restoring(name) => {
                    deadline = tokio::time::Instant::now() + READY_WITHIN;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Ok(_) => return Ok(()),
                Err(error) if tokio::time::Instant::now() > deadline => {
                    return Err(error.context(format!(
                        "{name} is not ready: see {}",
                        self.plan.log(name).display()
                    )));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    async fn roles(&self) -> anyhow::Result<()> {
        let secrets = self.secrets;
        // On the standard input: a command line can be read by others.
        let passwords = [
            ("owner_password", &secrets.owner),
            ("app_password", &secrets.app),
            ("replicator_password", &secrets.replicator),
            ("failover_password", &secrets.failover),
        ];
        let mut script = String::new();
        for (name, password) in passwords {
            script += &format!("\\set {name} '{password}'\n");
        }
        script += &format!(
            "\\set me '{}'\n\\i {}\n",
            DATABASES[0],
            self.plan.etc("postgres/roles.sql").display()
        );
        let path = self.plan.run().join("roles.psql");
        private(&path)?.write_all(script.as_bytes())?;
        files::hand_over(&path, self.user)?;
        let mut psql = self.psql(DATABASES[0], "");
        psql.arg("-f").arg(&path);
        let made = run(psql, "roles.sql").await;
        fs::remove_file(&path)?;
        made.map(drop)
    }

    async fn replica(&self, number: usize) -> anyhow::Result<()> {
        let name = DATABASES[number];
        self.folder(&self.plan.data(name))?;
        let mut setup = command(Path::new("/bin/sh"), self.user);
        setup.args(replica_arguments(self.plan, name));
        setup.env("PGPASSFILE", pgpass(self.plan));
        run(setup, &format!("setting {name} up as a replica"))
            .await
            .map(drop)
    }

    fn password_file(&self) -> anyhow::Result<()> {
        let line = format!("*:*:*:replicator:{}\n", self.secrets.replicator);
        private(&pgpass(self.plan))?.write_all(line.as_bytes())?;
        files::hand_over(&pgpass(self.plan), self.user)
    }

    fn folder(&self, path: &Path) -> anyhow::Result<()> {
        folder(path, self.user)
    }

    fn program(&self, name: &str) -> Command {
        command(&self.engines.postgres.join(name), self.user)
    }

    /// As the administrator, over the socket.
    fn psql(&self, name: &str, sql: &str) -> Command {
        let mut psql = self.program("psql");
        psql.arg("-h")
            .arg(files::socket(self.plan, name))
            .args(["-p", &self.plan.database_port().to_string()])
            .args([
                "-U",
                "postgres",
                "-d",
                "postgres",
                "-XqtA",
                "-v",
                "ON_ERROR_STOP=1",
            ]);
        if !sql.is_empty() {
            psql.args(["-c", sql]);
        }
        psql
    }
}

/// One that only the servers' user enters.
pub(super) fn folder(path: &Path, user: Option<&User>) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    files::hand_over(path, user)
}

/// Of `sh`, to set a server up as a replica.
fn replica_arguments(plan: &Plan, name: &str) -> Vec<String> {
    let hosts: Vec<_> = (0..DATABASES.len())
        .map(|number| Plan::database_host(number).to_string())
        .collect();
    vec![
        plan.etc("postgres/setup-replica.sh").display().to_string(),
        name.to_owned(),
        hosts.join(","),
        plan.database_port().to_string(),
        plan.data(name).display().to_string(),
        plan.tls("ca.pem").display().to_string(),
    ]
}

/// Backs the primary up, whichever server that is.
pub(super) fn backup_command(plan: &Plan, user: Option<&User>) -> Vec<String> {
    let mut command = as_user(user);
    command.extend([
        "/bin/sh".to_owned(),
        plan.etc("postgres/backup.sh").display().to_string(),
    ]);
    for name in DATABASES {
        command.extend(plan.pgbackrest(name).map(|it| it.display().to_string()));
    }
    command
}

/// Restores the first server; the others become its replicas at the next start.
pub(super) fn restore_command(
    plan: &Plan,
    user: Option<&User>,
    until: Option<&str>,
) -> Vec<String> {
    let mut command = as_user(user);
    command.extend([
        "/bin/sh".to_owned(),
        plan.etc("postgres/restore.sh").display().to_string(),
    ]);
    command.extend(
        plan.pgbackrest(DATABASES[0])
            .map(|it| it.display().to_string()),
    );
    command.extend(until.map(str::to_owned));
    command
}

fn as_user(user: Option<&User>) -> Vec<String> {
    let Some(user) = user else { return Vec::new() };
    ["runuser", "-u", &user.name, "--"]
        .map(str::to_owned)
        .into()
}

fn pgpass(plan: &Plan) -> PathBuf {
    plan.run().join("pgpass")
}

/// How a failover reaches the servers of this machine, cuts one off, and brings it back.
pub(super) fn failover(plan: &Plan, secrets: &Secrets, user: Option<&User>) -> Failover {
    let port = plan.database_port();
    let shell = |script: String| vec!["/bin/sh".to_owned(), "-c".to_owned(), script];
    let nodes = DATABASES.iter().enumerate().map(|(number, name)| {
        let host = Plan::database_host(number).to_string();
        let fence = plan.fence(name).display().to_string();
        let become_user = user.map_or_else(String::new, |user| format!("runuser -u {} -- ", user.name));
        DatabaseNode {
            name: (*name).to_owned(),
            url: Secret::new(format!(
                "postgres://hysio_failover:{}@{host}:{port}/hysio?sslmode=require&connect_timeout=2",
                secrets.failover
            )),
            fence: shell(format!("touch '{fence}'")),
            rejoin: shell(format!(
                "{become_user}env PGPASSFILE='{}' CONFIG_FILE='{}' sh {} && rm -f '{fence}'",
                pgpass(plan).display(),
                files::database_etc(plan, name).join("postgresql.conf").display(),
                replica_arguments(plan, name).join(" "),
            )),
            host,
        }
    });
    Failover {
        nodes: nodes.collect(),
        port,
    }
}

/// The address of Hysio's database for a role: all three servers, of which the one that takes writes is meant.
pub(super) fn primary_url(plan: &Plan, role: &str, password: &str, database: &str) -> String {
    let port = plan.database_port();
    let hosts: Vec<_> = (0..DATABASES.len())
        .map(|number| format!("{}:{port}", Plan::database_host(number)))
        .collect();
    format!(
        "postgres://{role}:{password}@{}/{database}?sslmode=require&target_session_attrs=read-write&connect_timeout=3",
        hosts.join(",")
    )
}
