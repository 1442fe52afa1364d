//! `hysio partition`: how the records are spread by facility, and dividing what has grown, with the owner's role.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use hysio_infra::postgres::{
    migrate,
    partitions::{self, Division, Partition},
};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::start::{ConfigArgument, owner_config};

#[derive(Debug, Args)]
pub struct Command {
    #[command(flatten)]
    config: ConfigArgument,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show every partition, how much is in it, and whether one stands out.
    List {
        #[arg(long)]
        json: bool,
    },
    /// Divide one in two by facility, while everybody works.
    Divide {
        /// Its name, such as patient_records_part_2.
        name: String,
        #[arg(long)]
        json: bool,
    },
    /// Divide the largest for as long as one stands out: it holds twice what those in the middle do.
    Rebalance {
        #[arg(long)]
        json: bool,
    },
}

impl Command {
    /// # Errors
    /// When there is no such partition, it cannot be divided, or the database is away.
    pub fn run(self) -> anyhow::Result<()> {
        let config = self.config.load()?;
        super::block_on(async {
            let mut client = migrate::connect(&owner_config(&config)?).await?;
            match self.action {
                Action::List { json } => list(&partitions::list(&client).await?, json),
                Action::Divide { name, json } => {
                    let all = partitions::list(&client).await?;
                    let division = divide(&mut client, choose(&all, &name)?).await?;
                    tell(&[division], json)
                }
                Action::Rebalance { json } => tell(&rebalance(&mut client).await?, json),
            }
        })
    }
}

fn choose<'a>(all: &'a [Partition], name: &str) -> anyhow::Result<&'a Partition> {
    let chosen = all.iter().find(|it| it.name == name).with_context(|| {
        let names: Vec<_> = all.iter().map(|it| it.name.as_str()).collect();
        format!(
            "there is no partition {name:?}: there are {}",
            names.join(", ")
        )
    })?;
    anyhow::ensure!(
        chosen.facilities > 1,
        "{name} holds {}: records of one facility stay together, so dividing it would make nothing smaller",
        if chosen.facilities == 1 {
            "one facility"
        } else {
            "no facility"
        }
    );
    Ok(chosen)
}

async fn rebalance(client: &mut Client) -> anyhow::Result<Vec<Division>> {
    let mut made = Vec::new();
    loop {
        let all = partitions::list(client).await?;
        let Some(next) = partitions::next_to_divide(&all) else {
            return Ok(made);
        };
        made.push(divide(client, next).await?);
    }
}

async fn divide(client: &mut Client, partition: &Partition) -> anyhow::Result<Division> {
    // Hidden where nobody watches.
    let bar = ProgressBar::new(partition.rows.unsigned_abs());
    bar.set_style(ProgressStyle::with_template(
        "{msg} {wide_bar} {human_pos} of about {human_len}",
    )?);
    bar.set_message(partition.name.clone());
    let progress = |copied: i64| bar.set_position(copied.unsigned_abs());
    let division = partitions::divide(client, partition, &progress).await;
    bar.finish_and_clear();
    Ok(division?)
}

fn list(all: &[Partition], as_json: bool) -> anyhow::Result<()> {
    let next = partitions::next_to_divide(all);
    if as_json {
        let partitions: Vec<Value> = all
            .iter()
            .map(|it| {
                json!({ "name": it.name, "modulus": it.modulus, "remainder": it.remainder, "facilities": it.facilities,
                        "rows": it.rows, "bytes": it.bytes })
            })
            .collect();
        return print(
            &json!({ "partitions": partitions, "next_to_divide": next.map(|it| &it.name) }),
        );
    }
    let mut table = super::table::table();
    table.set_header([
        "partition",
        "holds remainder",
        "facilities",
        "records",
        "size",
    ]);
    for it in all {
        table.add_row([
            it.name.clone(),
            format!("{} of {}", it.remainder, it.modulus),
            it.facilities.to_string(),
            format!("about {}", it.rows),
            HumanBytes(it.bytes.unsigned_abs()).to_string(),
        ]);
    }
    println!("{table}");
    match next {
        Some(next) => println!("{0} stands out: `hysio partition divide {0}`", next.name),
        None => println!("none stands out"),
    }
    Ok(())
}

fn tell(divisions: &[Division], as_json: bool) -> anyhow::Result<()> {
    if as_json {
        let all: Vec<Value> = divisions
            .iter()
            .map(|it| {
                json!({ "of": it.of, "into": it.into, "rows": it.rows, "held_milliseconds": it.held.as_secs_f64() * 1_000.0 })
            })
            .collect();
        return print(&json!({ "divisions": all }));
    }
    for it in divisions {
        println!(
            "{} is now {} and {}: {} records, everybody else waited {:.0} ms",
            it.of,
            it.into[0],
            it.into[1],
            it.rows,
            it.held.as_secs_f64() * 1_000.0
        );
    }
    if divisions.is_empty() {
        println!("none stands out: nothing was divided");
    }
    Ok(())
}

fn print(value: &Value) -> anyhow::Result<()> {
    super::output::print(&format!("{}\n", serde_json::to_string_pretty(value)?))
}
