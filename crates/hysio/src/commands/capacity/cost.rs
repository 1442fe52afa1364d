//! `hysio capacity cost`: what a number of instances and models costs a month, and who bears it.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::Context as _;
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use hysio_scaling::capacity::cost::{Prices, shares};
use serde::Serialize;

use super::words;

#[derive(Debug, Args)]
pub struct Command {
    /// Instances of the app, each with its workers.
    #[arg(long)]
    instances: u32,
    /// Instances of a specialty's models that run on a GPU: cardiology=2.
    #[arg(long, value_name = "SPECIALTY=COUNT", value_parser = count)]
    gpu: Vec<(String, u32)>,
    /// Instances of a specialty's models that run without one: general_practice=5.
    #[arg(long, value_name = "SPECIALTY=COUNT", value_parser = count)]
    cpu: Vec<(String, u32)>,
    #[command(flatten)]
    prices: PriceArguments,
    /// One JSON object with everything.
    #[arg(long)]
    json: bool,
}

/// What things cost and how that is shared.
#[derive(Debug, Args)]
pub struct PriceArguments {
    /// A YAML file with prices a month: currency, base, app_instance, worker, workers_per_instance, gpu_instance, cpu_instance.
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// How cost is shared: NAME=USE for each facility or specialty.
    #[arg(long = "share", value_name = "NAME=USE", value_parser = share)]
    shares: Vec<(String, f64)>,
}

impl PriceArguments {
    pub fn prices(&self) -> anyhow::Result<Prices> {
        let Some(file) = &self.prices else {
            return Ok(Prices::default());
        };
        let name = file.display();
        let text = fs::read_to_string(file).with_context(|| format!("read {name}"))?;
        let prices: Prices = serde_saphyr::from_str(&text).with_context(|| format!("{name}"))?;
        prices
            .check()
            .map_err(|why| anyhow::anyhow!("{name}: {why}"))?;
        Ok(prices)
    }

    /// What each bears of an amount.
    pub fn shares(&self, amount: f64) -> BTreeMap<String, f64> {
        shares(amount, &self.shares.iter().cloned().collect())
    }
}

#[derive(Debug, Serialize)]
struct Bill {
    currency: String,
    /// A month of each item.
    items: Vec<(String, f64)>,
    total: f64,
    shares: BTreeMap<String, f64>,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        let bill = self.bill()?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&bill)?);
        } else {
            print!("{}", bill.table());
        }
        Ok(())
    }

    fn bill(&self) -> anyhow::Result<Bill> {
        let prices = self.prices.prices()?;
        let workers = prices.workers_per_instance * f64::from(self.instances);
        let mut items = vec![
            ("whatever runs".to_owned(), prices.base),
            (
                format!("{} app instances", self.instances),
                f64::from(self.instances) * prices.app_instance,
            ),
            (format!("{workers} workers"), workers * prices.worker),
        ];
        for (models, gpu) in [(&self.gpu, true), (&self.cpu, false)] {
            let kind = if gpu { "with a GPU" } else { "without a GPU" };
            items.extend(models.iter().map(|(specialty, count)| {
                let name = format!("{specialty}: {count} models {kind}");
                (name, prices.models(*count, gpu))
            }));
        }
        let total = items.iter().map(|(_, cost)| cost).sum();
        Ok(Bill {
            shares: self.prices.shares(total),
            currency: prices.currency,
            items,
            total,
        })
    }
}

impl Bill {
    fn table(&self) -> String {
        let mut table = Table::new();
        table
            .load_style(presets::UTF8_HORIZONTAL_ONLY)
            .set_header(["a month", &self.currency]);
        for (name, cost) in &self.items {
            table.add_row([name.clone(), words::amount(*cost)]);
        }
        table.add_row(["all".to_owned(), words::amount(self.total)]);
        for (name, cost) in &self.shares {
            table.add_row([format!("borne by {name}"), format!("{cost:.2}")]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        format!("{table}\n")
    }
}

fn count(text: &str) -> Result<(String, u32), String> {
    let wrong = || format!("{text:?} is no count: write SPECIALTY=COUNT, such as cardiology=2");
    let (name, count) = text.split_once('=').ok_or_else(wrong)?;
    Ok((
        name.trim().to_owned(),
        count.trim().parse().map_err(|_| wrong())?,
    ))
}

fn share(text: &str) -> Result<(String, f64), String> {
    let wrong = || format!("{text:?} is no share: write NAME=USE, such as cardiology=120");
    let (name, used) = text.split_once('=').ok_or_else(wrong)?;
    let used: f64 = used.trim().parse().map_err(|_| wrong())?;
    if used.is_finite() && used >= 0.0 {
        Ok((name.trim().to_owned(), used))
    } else {
        Err(wrong())
    }
}
