//! A whole installation on one machine, made of the servers that a large one is made of and of the files in `deploy/`.

mod certificates;
mod databases;
mod engines;
mod files;
mod hysio;
pub mod plan;
mod redis;
pub mod restored;
mod secrets;
pub mod state;
mod supervisor;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Stdio};

use anyhow::Context as _;
use hysio_infra::postgres::notify;
use nix::unistd::{Uid, User};
use tokio::process::Command;

use self::{
    databases::Databases,
    engines::Engines,
    plan::{DATABASES, Plan},
    redis::Nodes,
    secrets::Secrets,
    state::State,
    supervisor::{Service, Stop, Supervisor},
};
use crate::{
    commands::up::{backups::Backups, first, pools::Pools, say},
    config::Config,
    lifecycle::Lifecycle,
    start,
};

/// The user that the servers run as when this is started by root: as those of a package, they have one of their own.
const SERVERS_USER: &str = "hysio";

pub struct Cluster {
    plan: Plan,
    engines: Engines,
    secrets: Secrets,
    user: Option<User>,
    supervisor: Supervisor,
    /// How many services there were before each group: databases, other servers, Hysio's own.
    groups: Vec<usize>,
}

impl Cluster {
    /// Prepares the folder; nothing is started yet.
    ///
    /// # Errors
    /// When a program is missing, a port is taken, or the folder cannot be used.
    pub async fn prepare(plan: Plan) -> anyhow::Result<Self> {
        let engines = Engines::find(&plan)?;
        let user = servers_user()?;
        fs::create_dir_all(&plan.state)?;
        state::clear_leftovers(&plan.state).await?;
        for (name, address) in plan.addresses() {
            start::must_become_free(address)
                .await
                .with_context(|| format!("there is no place for {name}"))?;
        }
        let secrets = Secrets::open(&plan.secrets())?;
        certificates::ensure(&plan)?;
        for folder in [
            plan.run(),
            plan.data(""),
            plan.state.join("log"),
            plan.state.join("fenced"),
            plan.backups("hysio"),
        ] {
            fs::create_dir_all(folder)?;
        }
        files::write(&plan, &secrets)?;
        for folder in [
            plan.etc(""),
            plan.run(),
            plan.state.join("log"),
            plan.data("nginx"),
            plan.backups("pgbackrest"),
        ] {
            files::hand_over(&folder, user.as_ref())?;
        }
        // Everybody passes through, the passwords are for one.
        fs::set_permissions(&plan.state, fs::Permissions::from_mode(0o711))?;
        must_reach(&plan.etc(""), user.as_ref()).await?;
        Ok(Self {
            supervisor: Supervisor::new(State::new(plan.clone())),
            plan,
            engines,
            secrets,
            user,
            groups: Vec::new(),
        })
    }

    /// Starts everything and keeps it until asked to end.
    ///
    /// # Errors
    /// When something cannot be started or never gets well.
    pub async fn run(mut self, base: &Config, lifecycle: &Lifecycle) -> anyhow::Result<()> {
        let outcome = self.serve(base, lifecycle).await;
        say("stopping: what was begun is finished first …");
        for group in std::mem::take(&mut self.groups).into_iter().rev() {
            self.supervisor.end_from(group).await;
        }
        say("stopped. The data is kept; `hysio cluster up` goes on with it.");
        outcome
    }

    async fn serve(&mut self, base: &Config, lifecycle: &Lifecycle) -> anyhow::Result<()> {
        let config = tokio::select! {
            up = self.bring_up(base) => up?,
            () = lifecycle.soft.cancelled() => return Ok(()),
        };
        let db = start::connect(&config).await?;
        let calls = notify::listen(start::direct_config(&config)?, lifecycle.soft.clone());
        let file = self.plan.hysio_config();
        let mut pools = None;
        if self.plan.workers {
            pools = Some(Pools::of_workers(&config, Some(&file), db, &calls).await?);
        }
        let backups = Backups::start(&config, false);
        self.supervisor.note(|state| state.ready = true);
        say(&format!(
            "the cluster is up: open {}",
            config.http.public_url
        ));
        let outcome = tokio::select! {
            () = lifecycle.soft.cancelled() => Ok(()),
            given_up = keep(&mut pools) => given_up,
        };
        if let Some(pools) = pools {
            pools.stop(&lifecycle.hard).await;
        }
        backups.stop().await;
        outcome
    }

    async fn bring_up(&mut self, base: &Config) -> anyhow::Result<Config> {
        let config = hysio::configuration(&self.plan, &self.secrets, self.user.as_ref(), base)?;
        hysio::write(&self.plan, &config)?;
        hysio_infra::trust::also(&self.plan.tls("ca.pem"))?;
        say("PostgreSQL: a primary and two replicas …");
        self.group();
        let is_new = !self.plan.data(DATABASES[0]).join("PG_VERSION").exists();
        let databases = Databases {
            plan: &self.plan,
            engines: &self.engines,
            secrets: &self.secrets,
            user: self.user.as_ref(),
        };
        databases.start(&mut self.supervisor).await?;
        say("PgBouncer, Redis, NGINX, Prometheus …");
        self.group();
        self.servers().await?;
        say("the schema …");
        first::prepare(&config, is_new)?;
        let welcome = first::found(&config).await?;
        restored::tell(&self.plan, &config).await?;
        say("Hysio's own services …");
        self.group();
        hysio::start(&self.plan, &mut self.supervisor)?;
        if self.plan.scaler {
            self.supervisor
                .add(hysio::program(&self.plan, "scaler", "scaler")?)?;
        }
        hysio::until_ready(&self.plan).await?;
        welcome.print(&config);
        Ok(config)
    }

    fn group(&mut self) {
        self.groups.push(self.supervisor.mark());
    }

    async fn servers(&mut self) -> anyhow::Result<()> {
        let mut pgbouncer = Service::new("pgbouncer", &self.engines.pgbouncer);
        pgbouncer.arguments = vec!["-q".into(), self.plan.etc("pgbouncer/pgbouncer.ini").into()];
        pgbouncer.directory = Some(self.plan.etc("pgbouncer"));
        pgbouncer.address = Some(self.plan.pgbouncer());
        self.add_server(pgbouncer)?;
        if self.plan.redis {
            let nodes = Nodes {
                plan: &self.plan,
                engines: &self.engines,
                secrets: &self.secrets,
                user: self.user.as_ref(),
            };
            for number in 1..=plan::QUEUE_NODES {
                files::hand_over(
                    &self.plan.data(&format!("redis{number}")),
                    self.user.as_ref(),
                )?;
            }
            files::hand_over(&self.plan.data("redis-cache"), self.user.as_ref())?;
            nodes.start(&mut self.supervisor).await?;
        }
        let mut nginx = Service::new("nginx", &self.engines.nginx);
        nginx.arguments = [
            "-p".into(),
            self.plan.etc("nginx").into_os_string(),
            "-c".into(),
            "nginx.conf".into(),
        ]
        .into();
        nginx
            .arguments
            .extend(["-e".into(), self.plan.log("nginx-error").into()]);
        nginx.arguments.extend(["-g".into(), "daemon off;".into()]);
        nginx.stop = Stop::Quit;
        nginx.log = Some(self.plan.log("nginx"));
        nginx.address = Some(self.plan.https());
        self.add_server(nginx)?;
        if let Some(program) = &self.engines.prometheus {
            let mut prometheus = Service::new("prometheus", program);
            let data = self.plan.data("prometheus");
            fs::create_dir_all(&data)?;
            files::hand_over(&data, self.user.as_ref())?;
            let flag = |name: &str, value: &str| format!("--{name}={value}").into();
            prometheus.arguments = vec![
                flag(
                    "config.file",
                    &self
                        .plan
                        .etc("prometheus/prometheus.yml")
                        .display()
                        .to_string(),
                ),
                flag("storage.tsdb.path", &data.display().to_string()),
                flag("web.listen-address", &self.plan.prometheus_at().to_string()),
                flag("log.level", "warn"),
            ];
            prometheus.log = Some(self.plan.log("prometheus"));
            prometheus.address = Some(self.plan.prometheus_at());
            self.add_server(prometheus)?;
        }
        Ok(())
    }

    fn add_server(&mut self, mut service: Service) -> anyhow::Result<()> {
        service.user = self.user.clone();
        self.supervisor.add(service)
    }
}

async fn keep(pools: &mut Option<Pools>) -> anyhow::Result<()> {
    match pools {
        Some(pools) => pools.keep().await,
        None => std::future::pending().await,
    }
}

/// None when the servers run as this very user.
fn servers_user() -> anyhow::Result<Option<User>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let user = User::from_name(SERVERS_USER)?;
    user.map(Some).with_context(|| {
        format!("PostgreSQL does not run as root: add the system user {SERVERS_USER}, as scripts/install does")
    })
}

async fn must_reach(place: &Path, user: Option<&User>) -> anyhow::Result<()> {
    let mut look = command(Path::new("/bin/ls"), user);
    look.arg(place);
    run(look, "looking at the cluster's folder").await.map(drop).with_context(|| {
        format!(
            "the servers' user cannot get to {}: choose a folder that others may pass through to, with --state",
            place.display()
        )
    })
}

/// A command as the servers' user, with nothing of our own environment.
fn command(program: &Path, user: Option<&User>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
        .current_dir("/")
        .stdin(Stdio::null());
    if let Some(user) = user {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

/// Runs a command to its end, and says what it said if it fails.
async fn run(mut command: Command, what: &str) -> anyhow::Result<String> {
    let output = command
        .output()
        .await
        .with_context(|| format!("{what} could not be started"))?;
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    anyhow::ensure!(
        output.status.success(),
        "{what} failed ({}): {}{}",
        output.status,
        complained.trim(),
        said.trim()
    );
    Ok(said)
}
