//! From a string to lines of glyphs. Left to right only, with the three faces of Source Sans 3 (Latin, Greek,
//! Cyrillic). A character that they lack is drawn as a box and keeps its text for search and copying.

use std::{ops::Range, sync::LazyLock};

use krilla::text::{Font, Glyph, GlyphId};
use rustybuzz::{
    BufferClusterLevel, Direction, GlyphInfo, ShapePlan, UnicodeBuffer, script, shape_with_plan,
    ttf_parser::GlyphId as FontGlyph,
};
use unicode_linebreak::linebreaks;

use super::theme::Style;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Face {
    Regular,
    SemiBold,
    Italic,
}

/// One line, ready to be drawn.
pub struct Line {
    pub text: String,
    pub glyphs: Vec<PlacedGlyph>,
    /// At size 1, without the spaces at the end.
    width: f32,
}

/// Measures are at size 1.
#[derive(Clone)]
pub struct PlacedGlyph {
    id: u32,
    start: u32,
    end: u32,
    advance: f32,
    x_offset: f32,
    y_offset: f32,
}

struct LoadedFace {
    shaper: rustybuzz::Face<'static>,
    plan: ShapePlan,
    font: Font,
    units: f32,
    /// Drawn for what the face lacks.
    box_glyph: FontGlyph,
}

struct Faces {
    regular: LoadedFace,
    semi_bold: LoadedFace,
    italic: LoadedFace,
}

static FACES: LazyLock<Faces> = LazyLock::new(|| Faces {
    regular: load(include_bytes!("../../assets/fonts/SourceSans3-Regular.ttf")),
    semi_bold: load(include_bytes!(
        "../../assets/fonts/SourceSans3-SemiBold.ttf"
    )),
    italic: load(include_bytes!("../../assets/fonts/SourceSans3-Italic.ttf")),
});

/// The font to draw a face's glyphs with.
pub fn font(face: Face) -> Font {
    loaded(face).font.clone()
}

/// One line whatever its length.
pub fn single_line(text: &str, face: Face) -> Line {
    let mut line = Line::empty();
    line.push(&printable(text), loaded(face));
    line
}

/// One line of at most `width` points, its end replaced by an ellipsis where it is longer.
pub fn fitted_line(text: &str, style: Style, width: f32) -> Line {
    let whole = single_line(text, style.face);
    if whole.width(style.size) <= width {
        return whole;
    }
    let ellipsis = single_line("…", style.face).width(style.size);
    let mut room = width - ellipsis;
    let fits = whole
        .glyphs
        .iter()
        .take_while(|glyph| {
            room -= glyph.advance * style.size;
            room >= 0.0
        })
        .last()
        .map_or(0, |glyph| glyph.end as usize);
    single_line(&format!("{}…", whole.text[..fits].trim_end()), style.face)
}

/// Breaks text without line breaks into lines of at most `width` points (Unicode line breaking, UAX 14). A word wider
/// than that is cut.
pub fn lines(text: &str, style: Style, width: f32) -> Vec<Line> {
    let text = printable(text);
    let face = loaded(style.face);
    let room = width / style.size;
    let mut lines = vec![Line::empty()];
    let mut from = 0;
    for (to, _) in linebreaks(&text) {
        let mut word = Line::empty();
        word.push(&text[from..to], face);
        from = to;
        add_word(&mut lines, word, room);
    }
    lines
}

fn add_word(lines: &mut Vec<Line>, word: Line, room: f32) {
    let line = lines.last_mut().expect("there is always a line");
    if line.full_width() + word.width <= room {
        line.append(word);
        return;
    }
    if !line.text.is_empty() {
        lines.push(Line::empty());
    }
    let line = lines.last_mut().expect("there is always a line");
    if word.width <= room {
        line.append(word);
        return;
    }
    for piece in word.cut(room) {
        let line = lines.last_mut().expect("there is always a line");
        if line.text.is_empty() {
            line.append(piece);
        } else {
            lines.push(piece);
        }
    }
}

impl Line {
    fn empty() -> Self {
        Self {
            text: String::new(),
            glyphs: Vec::new(),
            width: 0.0,
        }
    }

    /// In points at this size.
    pub fn width(&self, size: f32) -> f32 {
        self.width * size
    }

    fn full_width(&self) -> f32 {
        self.glyphs.iter().map(|glyph| glyph.advance).sum()
    }

    fn push(&mut self, text: &str, face: &LoadedFace) {
        let base = self.text.len();
        self.text.push_str(text);
        face.shape(text, base, &mut self.glyphs);
        self.measure();
    }

    fn append(&mut self, word: Line) {
        let base = to_u32(self.text.len());
        let before = self.full_width();
        self.width = before + word.width;
        self.text.push_str(&word.text);
        self.glyphs.extend(word.glyphs.into_iter().map(|mut glyph| {
            glyph.start += base;
            glyph.end += base;
            glyph
        }));
    }

    fn measure(&mut self) {
        let visible = to_u32(self.text.trim_end().len());
        self.width = self
            .glyphs
            .iter()
            .filter(|glyph| glyph.start < visible)
            .map(|glyph| glyph.advance)
            .sum();
    }

    /// Pieces of at most `room`, cut between characters; each has at least one.
    fn cut(self, room: f32) -> Vec<Line> {
        let mut pieces: Vec<Line> = Vec::new();
        let mut width = 0.0;
        for glyph in self.glyphs {
            let starts_cluster = pieces.last().is_none_or(|piece: &Line| {
                piece
                    .glyphs
                    .last()
                    .is_none_or(|last| last.start != glyph.start)
            });
            if pieces.is_empty() || (starts_cluster && width + glyph.advance > room) {
                pieces.push(Line::empty());
                width = 0.0;
            }
            width += glyph.advance;
            pieces
                .last_mut()
                .expect("one was just pushed")
                .glyphs
                .push(glyph);
        }
        for piece in &mut pieces {
            let start = piece.glyphs.first().map_or(0, |glyph| glyph.start);
            let end = piece.glyphs.last().map_or(0, |glyph| glyph.end);
            self.text[start as usize..end as usize].clone_into(&mut piece.text);
            for glyph in &mut piece.glyphs {
                glyph.start -= start;
                glyph.end -= start;
            }
            piece.measure();
        }
        pieces
    }
}

impl LoadedFace {
    /// Appends the glyphs of `text`, which stands at byte `base` of its line.
    fn shape(&self, text: &str, base: usize, glyphs: &mut Vec<PlacedGlyph>) {
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.set_direction(Direction::LeftToRight);
        buffer.set_script(script::LATIN);
        // Each mark for itself: a cluster's text goes into the file's glyph map, where readers take a few letters only.
        buffer.set_cluster_level(BufferClusterLevel::MonotoneCharacters);
        let shaped = shape_with_plan(&self.shaper, &self.plan, buffer);
        let infos = shaped.glyph_infos();
        let ends = cluster_ends(infos, to_u32(text.len()));
        for ((info, position), end) in infos.iter().zip(shaped.glyph_positions()).zip(ends) {
            let missing = info.glyph_id == 0;
            let (id, advance) = if missing {
                let id = self.box_glyph;
                (id.0, self.shaper.glyph_hor_advance(id).unwrap_or_default())
            } else {
                (
                    u16::try_from(info.glyph_id).expect("a font has at most 65,536 glyphs"),
                    u16::try_from(position.x_advance.max(0)).unwrap_or(u16::MAX),
                )
            };
            #[expect(
                clippy::cast_precision_loss,
                reason = "font units are below 2^16, which f32 holds exactly"
            )]
            glyphs.push(PlacedGlyph {
                id: u32::from(id),
                start: to_u32(base) + info.cluster,
                end: to_u32(base) + end,
                advance: f32::from(advance) / self.units,
                x_offset: position.x_offset as f32 / self.units,
                y_offset: position.y_offset as f32 / self.units,
            });
        }
    }
}

impl Glyph for PlacedGlyph {
    fn glyph_id(&self) -> GlyphId {
        GlyphId::new(self.id)
    }

    fn text_range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    fn x_advance(&self, size: f32) -> f32 {
        self.advance * size
    }

    fn x_offset(&self, size: f32) -> f32 {
        self.x_offset * size
    }

    fn y_offset(&self, size: f32) -> f32 {
        self.y_offset * size
    }

    fn y_advance(&self, _size: f32) -> f32 {
        0.0
    }

    fn location(&self) -> Option<krilla::surface::Location> {
        None
    }
}

fn load(data: &'static [u8]) -> LoadedFace {
    let shaper = rustybuzz::Face::from_slice(data, 0).expect("an embedded font is well-formed");
    let plan = ShapePlan::new(
        &shaper,
        Direction::LeftToRight,
        Some(script::LATIN),
        None,
        &[],
    );
    let box_glyph = ['□', '\u{fffd}', '?']
        .into_iter()
        .find_map(|wanted| shaper.glyph_index(wanted))
        .expect("an embedded font has a question mark");
    LoadedFace {
        units: f32::from(u16::try_from(shaper.units_per_em()).expect("units are a 16-bit number")),
        font: Font::new(data.into(), 0).expect("an embedded font is well-formed"),
        shaper,
        plan,
        box_glyph,
    }
}

fn loaded(face: Face) -> &'static LoadedFace {
    match face {
        Face::Regular => &FACES.regular,
        Face::SemiBold => &FACES.semi_bold,
        Face::Italic => &FACES.italic,
    }
}

/// For each glyph, where the text of its cluster ends.
fn cluster_ends(infos: &[GlyphInfo], text_end: u32) -> Vec<u32> {
    let mut ends = vec![text_end; infos.len()];
    for index in (0..infos.len().saturating_sub(1)).rev() {
        let (this, next) = (infos[index].cluster, infos[index + 1].cluster);
        ends[index] = if next > this { next } else { ends[index + 1] };
    }
    ends
}

/// Control characters have no place on paper, and PDF/A forbids private ones and non-characters in its text.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '\u{feff}' | '\u{ad}' | '\r'))
        .map(|c| match c {
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => ' ',
            '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}' | '\u{fffe}' | '\u{ffff}' => {
                '\u{fffd}'
            }
            c => c,
        })
        .collect()
}

fn to_u32(length: usize) -> u32 {
    u32::try_from(length).expect("text is bounded far below 4 GB")
}

#[cfg(test)]
mod tests {
    use super::super::theme::BODY;
    use super::*;

    #[test]
    fn no_line_is_wider_than_asked_and_nothing_is_lost() {
        let text = "Patiënt meldt sinds één week coördinatieproblemen; naïef café – ".repeat(8)
            + &"x".repeat(400)
            + " end";
        let broken = lines(&text, BODY, 200.0);
        assert!(broken.iter().all(|line| line.width(BODY.size) <= 200.01));
        let joined: String = broken.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(joined, text);
    }

    #[test]
    fn a_script_without_glyphs_is_drawn_as_boxes() {
        let line = single_line("疼痛 ألم", Face::Regular);
        assert!(line.glyphs.iter().all(|glyph| glyph.id != 0));
        assert!(line.width(10.0) > 0.0);
    }

    #[test]
    fn a_long_line_ends_in_an_ellipsis_inside_its_width() {
        let line = fitted_line(&"Ziekenhuis ".repeat(40), BODY, 120.0);
        assert!(line.text.ends_with('…'));
        assert!(line.width(BODY.size) <= 120.01);
    }
}
