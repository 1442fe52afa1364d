//! The planner's report on paper, through the engine of the encounter report: tagged, archivable, the same bytes for the same plan.

use std::{fs, path::Path};

use anyhow::Context as _;
use hysio_infra::pdf::{
    document::{Block, Card, Column, Document, Level, Table},
    render_document,
};
use hysio_scaling::{
    capacity::{analysis::Analysis, outlook::Point},
    forecast::Ahead,
};
use jiff::Timestamp;

use super::{
    analyse::finding,
    forecast::Outlook,
    html::{charts, sentence},
    words,
};

/// What is printed.
pub struct Paper<'a> {
    pub source: String,
    pub trace: &'a hysio_scaling::trace::Trace,
    pub analysis: &'a Analysis,
    pub outlook: &'a Outlook,
}

impl Paper<'_> {
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        let pdf = render_document(&self.document())?;
        fs::write(file, pdf).with_context(|| format!("write {}", file.display()))
    }

    fn document(&self) -> Document {
        let series = &self.trace.series;
        let (from, to) = (
            series.local_time(0).date(),
            series.local_time(series.len().saturating_sub(1)).date(),
        );
        let end: Timestamp = series.time(series.len());
        let mut blocks = vec![
            Block::Title {
                text: "Capacity plan".to_owned(),
                subtitle: format!(
                    "{}, {from} to {to}, in steps of {}",
                    self.source, self.analysis.step
                ),
            },
            Block::Cards(self.cards()),
        ];
        blocks.extend(self.warnings());
        blocks.extend(self.patterns());
        blocks.extend(self.days());
        blocks.extend(self.months());
        Document {
            title: format!("Capacity plan · {}", self.source),
            language: "en",
            created: end,
            header: ("Capacity plan".to_owned(), self.source.clone()),
            footer: format!("Planned from what was known until {to}"),
            watermark: None,
            blocks,
        }
    }

    fn cards(&self) -> Vec<Card> {
        let long = &self.outlook.long;
        let currency = &self.outlook.settings.prices.currency;
        let most = long.months.iter().map(|it| it.instances).max().unwrap_or(0);
        let mut needed = vec![("months ahead".to_owned(), format!("up to {most}"))];
        if let Some(short) = &self.outlook.short {
            needed.insert(
                0,
                (
                    "days ahead".to_owned(),
                    format!("up to {}", short.most_instances),
                ),
            );
        }
        let growth = words::growth(long).unwrap_or("not known".to_owned());
        let facts = |facts: &[(&str, String)]| {
            facts
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect()
        };
        vec![
            Card {
                title: "Demand".to_owned(),
                facts: facts(&[
                    ("mean a step", words::amount(self.analysis.mean)),
                    ("highest", words::amount(self.analysis.peak)),
                    ("growth", growth),
                ]),
            },
            Card {
                title: "Instances".to_owned(),
                facts: needed,
            },
            Card {
                title: "Cost".to_owned(),
                facts: facts(&[(
                    "months ahead",
                    format!("{} {currency}", words::amount(long.total_cost)),
                )]),
            },
        ]
    }

    fn warnings(&self) -> Vec<Block> {
        let long = &self.outlook.long;
        let short = self.outlook.short.iter().flat_map(|it| &it.warnings);
        short
            .chain(&long.warnings)
            .chain(&long.unknown)
            .map(|line| Block::Warning(sentence(line)))
            .collect()
    }

    fn patterns(&self) -> Vec<Block> {
        let mut blocks = vec![section("Patterns")];
        for pattern in [&self.analysis.day, &self.analysis.week, &self.analysis.year] {
            blocks.push(Block::Text(sentence(&finding(pattern))));
            blocks.extend(charts::pattern(pattern).map(|chart| Block::Figure(chart.figure())));
        }
        if let Some(season) = &self.analysis.high_season {
            blocks.push(Block::Text(sentence(&words::season(season))));
        }
        let rows = self.analysis.recommended.iter().map(|it| {
            let counts = [it.base, it.peak, it.peak_in_season].map(|count| count.to_string());
            std::iter::once(it.resource.to_string())
                .chain(counts)
                .collect()
        });
        blocks.push(table(
            &[
                "recommended capacity",
                "base",
                "peak hours",
                "peak hours in season",
            ],
            rows.collect(),
        ));
        blocks
    }

    fn days(&self) -> Vec<Block> {
        let mut blocks = vec![section("The days ahead")];
        let Some(short) = &self.outlook.short else {
            let why = self.outlook.no_short.as_deref().unwrap_or_default();
            blocks.push(Block::Remark(sentence(why)));
            return blocks;
        };
        blocks.push(Block::Text(sentence(&words::choice(&short.choice))));
        let series = &self.trace.series;
        blocks.push(Block::Figure(charts::days(short, series).figure()));
        let capacity = charts::capacity_of_days(short, &self.outlook.settings);
        blocks.push(Block::Figure(capacity.figure()));
        let every = (short.points.len() / 14).max(1);
        let row = |points: &[Point]| {
            let most = |of: fn(&Ahead) -> f64| {
                words::amount(points.iter().map(|it| of(&it.demand)).fold(0.0, f64::max))
            };
            let instances = points.iter().map(|it| it.instances).max().unwrap_or(0);
            vec![
                points[0].at.strftime("%a %d %b %H:%M").to_string(),
                most(Ahead::p50),
                most(Ahead::p95),
                most(Ahead::p99),
                instances.to_string(),
            ]
        };
        blocks.push(table(
            &["from", "median", "P95", "P99", "instances"],
            short.points.chunks(every).map(row).collect(),
        ));
        blocks
    }

    fn months(&self) -> Vec<Block> {
        let long = &self.outlook.long;
        let mut blocks = vec![section("The months ahead")];
        if let Some(choice) = &long.choice {
            blocks.push(Block::Text(sentence(&words::choice(choice))));
        }
        if !long.months.is_empty() {
            let settings = &self.outlook.settings;
            let drawn = [
                charts::months(long, &self.trace.series),
                charts::capacity_of_months(long, settings),
                charts::cost(long, settings),
            ];
            blocks.extend(drawn.map(|chart| Block::Figure(chart.figure())));
        }
        let currency = &self.outlook.settings.prices.currency;
        let rows = long.months.iter().map(|month| {
            vec![
                month.month.strftime("%b %Y").to_string(),
                words::amount(month.demand.p50()),
                words::amount(month.demand.p95()),
                words::amount(month.peak),
                month.instances.to_string(),
                words::amount(month.cost),
            ]
        });
        let cost = format!("cost, {currency}");
        blocks.push(table(
            &["month", "median", "P95", "busy hours", "instances", &cost],
            rows.collect(),
        ));
        blocks
    }
}

fn section(text: &str) -> Block {
    Block::Heading {
        level: Level::Section,
        text: text.to_owned(),
    }
}

/// The first column is twice as wide as the others.
fn table(titles: &[&str], rows: Vec<Vec<String>>) -> Block {
    let parts = titles.len() as f32 + 1.0;
    let columns = titles.iter().enumerate().map(|(at, title)| Column {
        title: (*title).to_owned(),
        share: if at == 0 { 2.0 / parts } else { 1.0 / parts },
    });
    Block::Table(Table {
        columns: columns.collect(),
        rows,
        ruled: true,
    })
}
