//! The report's tables.

use hysio_scaling::{capacity::analysis::Analysis, forecast::Choice};

use super::escape;
use crate::commands::capacity::forecast::Outlook;

pub fn recommended(analysis: &Analysis) -> String {
    let rows = analysis.recommended.iter().map(|it| {
        let cells = [it.base, it.peak, it.peak_in_season].map(|count| count.to_string());
        (it.resource.to_string(), cells.to_vec())
    });
    table(
        "Recommended capacity, rounded up",
        &[
            "resource",
            "base",
            "in peak hours",
            "in peak hours of the busy season",
        ],
        rows,
    )
}

pub fn models(choice: &Choice) -> String {
    let rows = choice.candidates.iter().map(|it| {
        let verdict = match (it.model == choice.chosen, it.switched_off, &it.unfit) {
            (_, _, Some(why)) => why.clone(),
            (true, ..) => "used".to_owned(),
            (_, true, _) => "switched off: loses to the seasonal naive".to_owned(),
            _ => String::new(),
        };
        let cells = it.score.map_or(vec![String::new(); 3], |score| {
            vec![
                format!("{:.1} %", 100.0 * score.wape),
                format!("{:.3}", score.pinball95),
                format!("{:.1} %", 100.0 * score.coverage95),
            ]
        });
        (it.model.to_string(), [cells, vec![verdict]].concat())
    });
    table(
        "Models on the same history",
        &[
            "model",
            "WAPE",
            "pinball loss of P95",
            "at or below P95",
            "",
        ],
        rows,
    )
}

pub fn shares(outlook: &Outlook) -> String {
    if outlook.shares.is_empty() {
        return String::new();
    }
    let rows = outlook
        .shares
        .iter()
        .map(|(name, amount)| (name.clone(), vec![format!("{amount:.2}")]));
    table(
        "Shares of the cost",
        &["", &outlook.settings.prices.currency],
        rows,
    )
}

pub fn table(
    caption: &str,
    head: &[&str],
    rows: impl Iterator<Item = (String, Vec<String>)>,
) -> String {
    let head: String = head
        .iter()
        .map(|name| format!("<th scope=\"col\">{}</th>", escape(name)))
        .collect();
    let row = |(name, cells): (String, Vec<String>)| {
        let cells: String = cells
            .iter()
            .map(|cell| format!("<td>{}</td>", escape(cell)))
            .collect();
        format!("<tr><th scope=\"row\">{}</th>{cells}</tr>", escape(&name))
    };
    let rows: String = rows.map(row).collect();
    format!(
        "<table><caption>{}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>\n",
        escape(caption)
    )
}
