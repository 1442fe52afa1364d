//! Sizes and colours, in points (1/72 inch) and sRGB.

use krilla::color::rgb::Color;

use super::text::Face;

/// A4.
pub const PAGE_WIDTH: f32 = 595.28;
pub const PAGE_HEIGHT: f32 = 841.89;
pub const LEFT: f32 = 58.0;
pub const RIGHT: f32 = PAGE_WIDTH - 58.0;
pub const BODY_WIDTH: f32 = RIGHT - LEFT;
pub const BODY_TOP: f32 = 84.0;
pub const BODY_BOTTOM: f32 = PAGE_HEIGHT - 74.0;
pub const HEADER_BASELINE: f32 = 48.0;
pub const HEADER_RULE: f32 = 57.0;
pub const FOOTER_RULE: f32 = PAGE_HEIGHT - 56.0;
pub const FOOTER_BASELINE: f32 = PAGE_HEIGHT - 43.0;

pub const COLUMN_GAP: f32 = 26.0;
pub const CELL_GAP: f32 = 10.0;
pub const CELL_PADDING: f32 = 4.5;
pub const BULLET_INDENT: f32 = 11.0;

/// How some text looks.
#[derive(Clone, Copy)]
pub struct Style {
    pub face: Face,
    pub size: f32,
    /// From one baseline to the next.
    pub leading: f32,
    pub ink: Ink,
    /// 0 to 1.
    pub opacity: f32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    Text,
    Quiet,
    Accent,
    Warning,
    Hairline,
    Band,
}

impl Ink {
    pub fn color(self) -> Color {
        match self {
            Self::Text => Color::new(27, 33, 41),
            Self::Quiet => Color::new(91, 102, 115),
            Self::Accent => Color::new(11, 88, 104),
            Self::Warning => Color::new(158, 62, 12),
            Self::Hairline => Color::new(205, 212, 219),
            Self::Band => Color::new(240, 244, 246),
        }
    }
}

const fn style(face: Face, size: f32, leading: f32, ink: Ink) -> Style {
    Style {
        face,
        size,
        leading,
        ink,
        opacity: 1.0,
    }
}

pub const TITLE: Style = style(Face::SemiBold, 23.0, 27.0, Ink::Accent);
pub const SUBTITLE: Style = style(Face::Regular, 11.5, 16.0, Ink::Quiet);
pub const SECTION: Style = style(Face::SemiBold, 14.5, 19.0, Ink::Accent);
pub const SUBSECTION: Style = style(Face::SemiBold, 11.5, 15.5, Ink::Text);
pub const BODY: Style = style(Face::Regular, 10.5, 15.0, Ink::Text);
pub const REMARK: Style = style(Face::Italic, 10.0, 14.5, Ink::Quiet);
pub const WARNING: Style = style(Face::SemiBold, 10.0, 14.5, Ink::Warning);
pub const CARD_TITLE: Style = style(Face::SemiBold, 10.0, 15.0, Ink::Accent);
pub const LABEL: Style = style(Face::Regular, 9.5, 14.0, Ink::Quiet);
pub const VALUE: Style = style(Face::Regular, 9.5, 14.0, Ink::Text);
pub const TABLE_HEAD: Style = style(Face::SemiBold, 8.8, 13.0, Ink::Quiet);
pub const TABLE_CELL: Style = style(Face::Regular, 9.5, 13.2, Ink::Text);
pub const FIGURE_WORDS: Style = style(Face::Regular, 8.0, 11.0, Ink::Quiet);
pub const RUNNING: Style = style(Face::Regular, 8.5, 12.0, Ink::Quiet);
pub const RUNNING_STRONG: Style = style(Face::SemiBold, 8.5, 12.0, Ink::Text);
pub const WATERMARK: Style = Style {
    opacity: 0.09,
    ..style(Face::SemiBold, 62.0, 70.0, Ink::Warning)
};
