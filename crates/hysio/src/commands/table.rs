//! Tables on standard output, as wide as the terminal; as wide as a page where there is none.

use std::io::IsTerminal as _;

use comfy_table::{ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};

const PAGE: u16 = 110;

#[must_use]
pub fn table() -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic);
    if !std::io::stdout().is_terminal() {
        table.set_width(PAGE);
    }
    table
}
