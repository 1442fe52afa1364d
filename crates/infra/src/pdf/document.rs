//! What a printed document is made of: blocks in reading order. Any report of the platform is one of these.

use jiff::Timestamp;

pub struct Document {
    pub title: String,
    /// ISO 639-1 code, for screen readers and hyphenation.
    pub language: &'static str,
    /// Written into the file as its creation date.
    pub created: Timestamp,
    /// At the top of each page, left and right.
    pub header: (String, String),
    /// At the foot of each page, left of the page number.
    pub footer: String,
    /// Across each page.
    pub watermark: Option<String>,
    pub blocks: Vec<Block>,
}

pub enum Block {
    Title {
        text: String,
        subtitle: String,
    },
    Heading {
        level: Level,
        text: String,
    },
    /// Free text: each line break is kept, blank lines part paragraphs.
    Text(String),
    /// One quiet line, such as "nothing noted".
    Remark(String),
    /// One line that must not be missed.
    Warning(String),
    /// Short labelled values side by side.
    Cards(Vec<Card>),
    Table(Table),
    /// A drawing, such as a chart, as wide as the text.
    Figure(Figure),
    /// A little room.
    Gap,
    PageBreak,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Section,
    Subsection,
}

pub struct Card {
    pub title: String,
    pub facts: Vec<(String, String)>,
}

pub struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<String>>,
    /// With a line below each row; without, rows stand closer.
    pub ruled: bool,
}

pub struct Column {
    pub title: String,
    /// Part of the table's width; the parts of a table add up to 1.
    pub share: f32,
}

#[derive(Clone)]
pub struct Figure {
    /// What those who don't see it are told.
    pub alternative: String,
    /// Of the coordinates of the shapes, which begin at the top left.
    pub width: f32,
    pub height: f32,
    pub shapes: Vec<Shape>,
}

/// Red, green and blue.
pub type Colour = [u8; 3];

#[derive(Clone)]
pub enum Shape {
    Area {
        outline: Vec<(f32, f32)>,
        colour: Colour,
        /// 0 to 1.
        opacity: f32,
    },
    Line {
        points: Vec<(f32, f32)>,
        colour: Colour,
        width: f32,
        dashed: bool,
    },
    /// `y` is the baseline.
    Words {
        text: String,
        x: f32,
        y: f32,
        anchor: Anchor,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Document {
    pub(super) fn text_bytes(&self) -> usize {
        self.blocks.iter().map(Block::text_bytes).sum()
    }
}

impl Block {
    fn text_bytes(&self) -> usize {
        match self {
            Self::Title { text, subtitle } => text.len() + subtitle.len(),
            Self::Heading { text, .. }
            | Self::Text(text)
            | Self::Remark(text)
            | Self::Warning(text) => text.len(),
            Self::Cards(cards) => cards
                .iter()
                .flat_map(|card| &card.facts)
                .map(|(name, value)| name.len() + value.len())
                .sum(),
            Self::Table(table) => table.rows.iter().flatten().map(String::len).sum(),
            Self::Figure(figure) => figure.alternative.len(),
            Self::Gap | Self::PageBreak => 0,
        }
    }
}
