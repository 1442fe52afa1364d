//! The six nodes of the queue's cluster, joined once, and the cache.

use std::time::Duration;

use anyhow::Context as _;
use nix::unistd::User;
use tokio::process::Command;

use super::{
    command,
    engines::Engines,
    plan::{Plan, QUEUE_NODES},
    run,
    secrets::Secrets,
    supervisor::{Service, Supervisor},
};

const READY_WITHIN: Duration = Duration::from_secs(30);

pub(super) struct Nodes<'a> {
    pub plan: &'a Plan,
    pub engines: &'a Engines,
    pub secrets: &'a Secrets,
    pub user: Option<&'a User>,
}

impl Nodes<'_> {
    pub async fn start(&self, supervisor: &mut Supervisor) -> anyhow::Result<()> {
        for number in 0..QUEUE_NODES {
            let name = format!("redis{}", number + 1);
            self.launch(&name, self.plan.queue_node(number), supervisor)?;
        }
        self.launch("redis-cache", self.plan.cache(), supervisor)?;
        for number in 0..QUEUE_NODES {
            self.until(self.plan.queue_node(number).port(), &["PING"], "PONG")
                .await?;
        }
        let first = self.plan.queue_node(0).port();
        let info = run(self.cli(first, &["CLUSTER", "INFO"])?, "redis-cli").await?;
        if info.contains("cluster_slots_assigned:0") {
            self.join(first).await?;
        }
        self.until(first, &["CLUSTER", "INFO"], "cluster_state:ok")
            .await
    }

    fn launch(
        &self,
        name: &str,
        address: std::net::SocketAddr,
        supervisor: &mut Supervisor,
    ) -> anyhow::Result<()> {
        let program = self
            .engines
            .redis_server
            .as_ref()
            .context("redis-server was found")?;
        let mut node = Service::new(name, program);
        node.arguments = vec![self.plan.etc("redis").join(format!("{name}.conf")).into()];
        node.user = self.user.cloned();
        node.address = Some(address);
        supervisor.add(node)
    }

    async fn join(&self, first: u16) -> anyhow::Result<()> {
        let mut arguments = vec!["--cluster".to_owned(), "create".to_owned()];
        arguments.extend((0..QUEUE_NODES).map(|number| self.plan.queue_node(number).to_string()));
        arguments.extend(["--cluster-replicas", "1", "--cluster-yes"].map(str::to_owned));
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        run(self.cli(first, &arguments)?, "redis-cli --cluster create")
            .await
            .map(drop)
    }

    async fn until(&self, port: u16, arguments: &[&str], answer: &str) -> anyhow::Result<()> {
        let deadline = tokio::time::Instant::now() + READY_WITHIN;
        loop {
            let said = run(self.cli(port, arguments)?, "redis-cli").await;
            if said.as_ref().is_ok_and(|said| said.contains(answer)) {
                return Ok(());
            }
            anyhow::ensure!(
                tokio::time::Instant::now() < deadline,
                "Redis at port {port} does not come to {answer}: {said:?}"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn cli(&self, port: u16, arguments: &[&str]) -> anyhow::Result<Command> {
        let program = self
            .engines
            .redis_cli
            .as_ref()
            .context("redis-cli was found")?;
        let mut cli = command(program, self.user);
        // By environment: a command line can be read by others.
        cli.env("REDISCLI_AUTH", &self.secrets.redis)
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &port.to_string(),
                "--tls",
                "--cacert",
            ])
            .arg(self.plan.tls("ca.pem"))
            .args(arguments);
        Ok(cli)
    }
}
