//! How much room things take, and where they may be broken.

use crate::pdf::{
    document::{Block, Card, Level, Table},
    text::{lines, single_line},
    theme::{
        BODY, BODY_WIDTH, CARD_TITLE, CELL_GAP, COLUMN_GAP, LABEL, LEFT, RIGHT, SECTION,
        SUBSECTION, Style, TABLE_CELL, VALUE,
    },
};

pub const CARD_PADDING: f32 = 11.0;
/// Of a table, its head and a few rows stand together.
pub const TABLE_LEAD: f32 = 5.0 * TABLE_CELL.leading;

/// How much of what follows a heading must stand on the heading's page.
pub fn lead_height(following: &[Block]) -> f32 {
    match following.first() {
        Some(Block::Heading { level, .. }) => heading_height(*level) + lead_height(&following[1..]),
        Some(Block::Cards(cards)) => cards_height(cards),
        Some(Block::Figure(figure)) => figure.height * BODY_WIDTH / figure.width,
        Some(Block::Table(_)) => TABLE_LEAD,
        Some(Block::Title { .. } | Block::Text(_) | Block::Remark(_) | Block::Warning(_)) => {
            2.0 * BODY.leading
        }
        Some(Block::Gap | Block::PageBreak) | None => 0.0,
    }
}

pub fn card_width(cards: &[Card]) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "two or three cards")]
    let count = cards.len().max(1) as f32;
    (BODY_WIDTH - COLUMN_GAP * (count - 1.0)) / count
}

pub fn label_width(card: &Card) -> f32 {
    card.facts
        .iter()
        .map(|(label, _)| single_line(label, LABEL.face).width(LABEL.size))
        .fold(0.0, f32::max)
        + 12.0
}

#[expect(clippy::cast_precision_loss, reason = "a fact's length is bounded")]
pub fn cards_height(cards: &[Card]) -> f32 {
    let width = card_width(cards) - 2.0 * CARD_PADDING;
    let inner = cards
        .iter()
        .map(|card| {
            let room = width - label_width(card);
            let count: usize = card
                .facts
                .iter()
                .map(|(_, value)| lines(value, VALUE, room).len())
                .sum();
            let title = if card.title.is_empty() {
                0.0
            } else {
                CARD_TITLE.leading + 2.0
            };
            title + VALUE.leading * count as f32
        })
        .fold(0.0, f32::max);
    inner + 2.0 * CARD_PADDING - 3.0
}

/// Style, space before and after, and rank in the structure.
pub fn heading_shape(level: Level) -> (Style, f32, f32, u16) {
    match level {
        Level::Section => (SECTION, 20.0, 7.0, 2),
        Level::Subsection => (SUBSECTION, 11.0, 2.5, 3),
    }
}

pub fn heading_height(level: Level) -> f32 {
    let (style, before, after, _) = heading_shape(level);
    before + style.leading + after
}

/// Left edge and width of a column's text.
pub fn table_column(table: &Table, index: usize) -> (f32, f32) {
    let before: f32 = table.columns[..index]
        .iter()
        .map(|column| column.share)
        .sum();
    let left = LEFT + before * (RIGHT - LEFT);
    (left, table.columns[index].share * (RIGHT - LEFT) - CELL_GAP)
}

/// How many lines from this one on must stand together, so that no line of a paragraph is alone on its page.
pub fn kept_lines(index: usize, count: usize) -> f32 {
    match (index, count - index) {
        (_, 0 | 1) => 1.0,
        (0, 3) => 3.0,
        (0, _) | (_, 2) => 2.0,
        _ => 1.0,
    }
}

/// Parts a list's line into its mark and the rest.
pub fn bullet(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    ["- ", "* ", "• ", "– "]
        .into_iter()
        .find_map(|mark| line.strip_prefix(mark).map(|rest| (mark, rest.trim())))
}
