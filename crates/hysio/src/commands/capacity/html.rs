//! The planner's report: one HTML file that needs nothing else, for the screen and for paper.

pub(crate) mod chart;
pub(super) mod charts;
mod replayed;
mod tables;

use std::{fmt::Write as _, fs, path::Path};

use anyhow::Context as _;
use hysio_scaling::{
    capacity::{analysis::Analysis, outlook::Long},
    forecast::Choice,
    trace::Trace,
};

pub use self::replayed::Replayed;
use super::{analyse::finding, forecast::Outlook, words};

pub(crate) const STYLE: &str = include_str!("html/style.css");

/// What a report is made of.
pub struct Page<'a> {
    pub source: String,
    pub trace: &'a Trace,
    pub analysis: &'a Analysis,
    pub outlook: Option<&'a Outlook>,
}

impl Page<'_> {
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        fs::write(file, self.render()).with_context(|| format!("write {}", file.display()))
    }

    fn render(&self) -> String {
        let mut body = self.head();
        body += &section("patterns", "Patterns", &self.patterns());
        if let Some(outlook) = self.outlook {
            body += &section("days", "The days ahead", &self.days(outlook));
            body += &section("months", "The months ahead", &self.months(outlook));
        }
        body += &section("history", "About the history", &self.history());
        document(&format!("Capacity plan: {}", self.source), &body)
    }

    fn head(&self) -> String {
        let series = &self.trace.series;
        let (from, to) = (
            series.local_time(0).date(),
            series.local_time(series.len().saturating_sub(1)).date(),
        );
        let mut figures = vec![
            ("mean demand", words::amount(self.analysis.mean)),
            (
                "peak over mean",
                format!("×{:.2}", self.analysis.peak_multiplier),
            ),
        ];
        if let Some(outlook) = self.outlook {
            let currency = &outlook.settings.prices.currency;
            if let Some(short) = &outlook.short {
                figures.push((
                    "instances, days ahead",
                    format!("up to {}", short.most_instances),
                ));
            }
            let most = outlook
                .long
                .months
                .iter()
                .map(|month| month.instances)
                .max()
                .unwrap_or(0);
            figures.push(("instances, months ahead", format!("up to {most}")));
            figures.push((
                "cost of the months ahead",
                format!("{} {currency}", words::amount(outlook.long.total_cost)),
            ));
        }
        let mut cards = String::new();
        for (name, value) in figures {
            let _ = write!(
                cards,
                "<div><dt>{name}</dt><dd>{}</dd></div>",
                escape(&value)
            );
        }
        format!(
            "<header><h1>Capacity plan</h1><p>{}, column {}, {from} to {to}, in steps of {}</p><dl class=\"figures\">{cards}</dl></header>\n",
            escape(&self.source),
            escape(&self.trace.report.column),
            escape(&self.analysis.step),
        )
    }

    fn patterns(&self) -> String {
        let mut out = String::new();
        for pattern in [&self.analysis.day, &self.analysis.week, &self.analysis.year] {
            let note = format!("<p>{}</p>", escape(&sentence(&finding(pattern))));
            match charts::pattern(pattern) {
                Some(chart) => out += &chart.render(&note),
                None => out += &note,
            }
        }
        if let Some(season) = &self.analysis.high_season {
            let _ = write!(out, "<p>{}</p>", escape(&sentence(&words::season(season))));
        }
        out + &tables::recommended(self.analysis)
    }

    fn days(&self, outlook: &Outlook) -> String {
        let Some(short) = &outlook.short else {
            return format!(
                "<p>{}</p>",
                escape(&sentence(outlook.no_short.as_deref().unwrap_or_default()))
            );
        };
        let currency = escape(&outlook.settings.prices.currency);
        let mut out = format!(
            "<p>{}</p>",
            escape(&sentence(&words::choice(&short.choice)))
        );
        out += &charts::days(short, &self.trace.series).render("");
        let note = format!(
            "<p>At most {} instances. Following the forecast costs {:.0} {currency}; running the most all the time costs {:.0} {currency}.</p>",
            short.most_instances, short.cost_followed, short.cost_at_peak
        );
        out += &charts::capacity_of_days(short, &outlook.settings).render(&note);
        out + &list("warnings", &short.warnings) + &tables::models(&short.choice)
    }

    fn months(&self, outlook: &Outlook) -> String {
        let long = &outlook.long;
        let mut out = format!("<p>{}</p>", escape(&growth(long)));
        if let Some(choice) = &long.choice {
            let _ = write!(out, "<p>{}</p>", escape(&sentence(&words::choice(choice))));
        }
        out += &list("unknown", &long.unknown);
        out += &charts::months(long, &self.trace.series).render("");
        out += &charts::capacity_of_months(long, &outlook.settings).render("");
        out += &charts::cost(long, &outlook.settings).render("");
        out += &list("warnings", &long.warnings);
        out += &tables::shares(outlook);
        out + &long
            .choice
            .as_ref()
            .map(|choice: &Choice| tables::models(choice))
            .unwrap_or_default()
    }

    fn history(&self) -> String {
        let report = &self.trace.report;
        if report.notes.is_empty() {
            return format!(
                "<p>{} rows, without gaps, duplicates or negative values.</p>",
                report.rows
            );
        }
        let notes: Vec<String> = report.notes.iter().map(|note| sentence(note)).collect();
        format!("<p>{} rows.</p>{}", report.rows, list("notes", &notes))
    }
}

/// A whole page.
fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{}</title><style>{}</style></head>\n<body><main>\n{body}</main></body></html>\n",
        escape(title),
        STYLE,
    )
}

fn growth(long: &Long) -> String {
    let growth = words::growth(long).map_or("Growth is not known.".to_owned(), |growth| {
        format!(
            "Growth from year to year: {growth} over {:.1} years, apart from the season.",
            long.years_seen
        )
    });
    format!(
        "{growth} Busy hours are ×{:.2} of the mean.",
        long.peak_factor
    )
}

fn section(id: &str, title: &str, body: &str) -> String {
    format!("<section aria-labelledby=\"{id}\"><h2 id=\"{id}\">{title}</h2>\n{body}</section>\n")
}

fn list(class: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let items: String = lines
        .iter()
        .map(|line| format!("<li>{}</li>", escape(&sentence(line))))
        .collect();
    format!("<ul class=\"{class}\">{items}</ul>")
}

/// With a capital and a full stop.
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters
        .next()
        .map(|letter| letter.to_uppercase().collect())
        .unwrap_or_default();
    let stop = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{stop}", letters.as_str())
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_can_not_become_markup() {
        assert_eq!(escape("<b a=\"1\">&"), "&lt;b a=&quot;1&quot;&gt;&amp;");
        assert!(
            list("x", &["<script>".to_owned()])
                .contains("&lt;script>".replace('>', "&gt;").as_str())
        );
    }
}
