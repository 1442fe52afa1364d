//! Writes laid-out pages as PDF/A-2a and PDF/UA-1: tagged, with bookmarks and subset fonts.

use jiff::{Timestamp, tz::TimeZone};
use krilla::{
    Document as Pdf, SerializeSettings,
    color::rgb::Color,
    configure::{Accessibility, Archival, ConfigurationBuilder},
    destination::XyzDestination,
    geom::{PathBuilder, Point, Rect, Size, Transform},
    metadata::{DateTime, Metadata},
    num::NormalizedF32,
    outline::{Outline, OutlineNode},
    page::PageSettings,
    paint::{Fill, FillRule, Stroke, StrokeDash},
    surface::Surface,
    tagging::{Artifact, ArtifactType, ContentTag, SpanTag},
};

use super::{
    Error,
    document::{Anchor, Colour, Document, Figure, Level, Shape},
    layout::{Bookmark, Layout, Mark, Page},
    structure::Structure,
    text::{Line, fitted_line, font, single_line},
    theme::{
        BODY_WIDTH, FIGURE_WORDS, FOOTER_BASELINE, FOOTER_RULE, HEADER_BASELINE, HEADER_RULE, Ink,
        LEFT, PAGE_HEIGHT, PAGE_WIDTH, RIGHT, RUNNING, RUNNING_STRONG, Style, WATERMARK,
    },
};

/// # Errors
/// When the writer refuses the document, such as for a breach of PDF/A or PDF/UA.
pub fn paint(document: &Document, layout: Layout) -> Result<Vec<u8>, Error> {
    let Layout {
        pages,
        mut structure,
        bookmarks,
    } = layout;
    let mut pdf = Pdf::new_with(settings());
    let count = pages.len();
    for (index, page) in pages.into_iter().enumerate() {
        let size = Size::from_wh(PAGE_WIDTH, PAGE_HEIGHT).expect("A4 has a size");
        let mut sheet = pdf.start_page_with(PageSettings::new(size));
        let mut surface = sheet.surface();
        draw_page(&mut surface, page, &mut structure);
        draw_running(&mut surface, document, &format!("{} / {count}", index + 1));
        if let Some(words) = &document.watermark {
            draw_watermark(&mut surface, words);
        }
        surface.finish();
        sheet.finish();
    }
    pdf.set_outline(outline(bookmarks));
    pdf.set_metadata(metadata(document));
    pdf.set_tag_tree(structure.into_tags(document.language));
    pdf.finish()
        .map_err(|error| Error::Write(format!("{error:?}")))
}

fn settings() -> SerializeSettings {
    SerializeSettings {
        enable_tagging: true,
        configuration: ConfigurationBuilder::new()
            .with_archival_validator(Archival::A2_A)
            .with_accessibility_validator(Accessibility::UA1)
            .finish()
            .expect("PDF/A-2a and PDF/UA-1 go together"),
        ..SerializeSettings::default()
    }
}

fn metadata(document: &Document) -> Metadata {
    Metadata::new()
        .title(document.title.clone())
        .language(document.language.to_owned())
        .creator("Hysio".to_owned())
        .producer("Hysio".to_owned())
        .creation_date(date_time(document.created))
}

#[expect(
    clippy::cast_sign_loss,
    reason = "months to seconds of a calendar are never negative, and the year is clamped"
)]
fn date_time(at: Timestamp) -> DateTime {
    let at = at.to_zoned(TimeZone::UTC);
    DateTime::new(at.year().clamp(0, 9999) as u16)
        .month(at.month() as u8)
        .day(at.day() as u8)
        .hour(at.hour() as u8)
        .minute(at.minute() as u8)
        .second(at.second() as u8)
        .utc_offset_hour(0)
        .utc_offset_minute(0)
}

fn outline(bookmarks: Vec<Bookmark>) -> Outline {
    let mut sections: Vec<OutlineNode> = Vec::new();
    for bookmark in bookmarks {
        let target = XyzDestination::new(bookmark.page, Point::from_xy(LEFT, bookmark.y));
        let node = OutlineNode::new(bookmark.text, target).with_open(true);
        match (bookmark.level, sections.last_mut()) {
            (Level::Subsection, Some(section)) => section.push_child(node),
            (Level::Subsection, None) | (Level::Section, _) => sections.push(node),
        }
    }
    let mut outline = Outline::new();
    for section in sections {
        outline.push_child(section);
    }
    outline
}

fn draw_page(surface: &mut Surface<'_>, page: Page, structure: &mut Structure) {
    for mark in page.marks {
        match mark {
            Mark::Text {
                line,
                style,
                x,
                baseline,
                node,
            } => {
                let tag = match node {
                    Some(_) => ContentTag::Span(SpanTag::empty()),
                    None => artifact(ArtifactType::PaginationOther),
                };
                let content = surface.start_tagged(tag);
                draw_line(surface, &line, style, x, baseline);
                surface.end_tagged();
                if let Some(node) = node {
                    structure.attach(node, content);
                }
            }
            Mark::Fill {
                x,
                y,
                width,
                height,
                ink,
            } => {
                surface.start_tagged(artifact(ArtifactType::Layout));
                draw_fill(surface, (x, y, width, height), ink);
                surface.end_tagged();
            }
            Mark::Figure { figure, top, node } => {
                let content = surface.start_tagged(ContentTag::Other);
                draw_figure(surface, &figure, top);
                surface.end_tagged();
                structure.attach(node, content);
            }
        }
    }
}

fn draw_figure(surface: &mut Surface<'_>, figure: &Figure, top: f32) {
    let scale = BODY_WIDTH / figure.width;
    let place = |x: f32, y: f32| (LEFT + x * scale, top + y * scale);
    let path = |points: &[(f32, f32)], closed: bool| {
        let mut path = PathBuilder::new();
        for (index, (x, y)) in points.iter().enumerate() {
            let (x, y) = place(*x, *y);
            if index == 0 {
                path.move_to(x, y);
            } else {
                path.line_to(x, y);
            }
        }
        if closed {
            path.close();
        }
        path.finish()
    };
    for shape in &figure.shapes {
        match shape {
            Shape::Area {
                outline,
                colour,
                opacity,
            } => {
                let Some(path) = path(outline, true) else {
                    continue;
                };
                surface.set_fill(Some(Fill {
                    paint: color(*colour).into(),
                    opacity: share(*opacity),
                    rule: FillRule::default(),
                }));
                surface.draw_path(&path);
            }
            Shape::Line {
                points,
                colour,
                width,
                dashed,
            } => {
                let Some(path) = path(points, false) else {
                    continue;
                };
                surface.set_fill(None);
                surface.set_stroke(Some(Stroke {
                    paint: color(*colour).into(),
                    width: width * scale,
                    dash: dashed.then(|| StrokeDash {
                        array: vec![3.0, 2.5],
                        offset: 0.0,
                    }),
                    ..Stroke::default()
                }));
                surface.draw_path(&path);
                surface.set_stroke(None);
            }
            Shape::Words { text, x, y, anchor } => {
                let line = single_line(text, FIGURE_WORDS.face);
                let width = line.width(FIGURE_WORDS.size);
                let before = match anchor {
                    Anchor::Start => 0.0,
                    Anchor::Middle => width / 2.0,
                    Anchor::End => width,
                };
                let (x, y) = place(*x, *y);
                draw_line(surface, &line, FIGURE_WORDS, x - before, y);
            }
        }
    }
}

fn color([red, green, blue]: Colour) -> Color {
    Color::new(red, green, blue)
}

fn share(value: f32) -> NormalizedF32 {
    NormalizedF32::new(value).expect("an opacity is between 0 and 1")
}

/// Header and footer.
fn draw_running(surface: &mut Surface<'_>, document: &Document, number: &str) {
    let (left, right) = &document.header;
    let right = fitted_line(right, RUNNING, BODY_WIDTH * 0.62);
    let room = BODY_WIDTH - right.width(RUNNING.size) - 12.0;
    let left = fitted_line(left, RUNNING_STRONG, room);
    surface.start_tagged(artifact(ArtifactType::Header));
    draw_line(surface, &left, RUNNING_STRONG, LEFT, HEADER_BASELINE);
    draw_right(surface, &right, HEADER_BASELINE);
    draw_fill(surface, (LEFT, HEADER_RULE, BODY_WIDTH, 0.6), Ink::Hairline);
    surface.end_tagged();

    let number = single_line(number, RUNNING.face);
    let footer = fitted_line(&document.footer, RUNNING, BODY_WIDTH - 60.0);
    surface.start_tagged(artifact(ArtifactType::Footer));
    draw_fill(surface, (LEFT, FOOTER_RULE, BODY_WIDTH, 0.6), Ink::Hairline);
    draw_line(surface, &footer, RUNNING, LEFT, FOOTER_BASELINE);
    draw_right(surface, &number, FOOTER_BASELINE);
    surface.end_tagged();
}

fn draw_watermark(surface: &mut Surface<'_>, words: &str) {
    const RISE: f32 = -52.0;
    let line = fitted_line(words, WATERMARK, 900.0);
    let (x, y) = (PAGE_WIDTH / 2.0, PAGE_HEIGHT / 2.0);
    surface.start_tagged(artifact(ArtifactType::Watermark));
    surface.push_transform(&Transform::from_rotate_at(RISE, x, y));
    let width = line.width(WATERMARK.size);
    draw_line(
        surface,
        &line,
        WATERMARK,
        x - width / 2.0,
        y + WATERMARK.size / 3.0,
    );
    surface.pop();
    surface.end_tagged();
}

fn draw_right(surface: &mut Surface<'_>, line: &Line, baseline: f32) {
    let x = RIGHT - line.width(RUNNING.size);
    draw_line(surface, line, RUNNING, x, baseline);
}

fn draw_line(surface: &mut Surface<'_>, line: &Line, style: Style, x: f32, baseline: f32) {
    if line.glyphs.is_empty() {
        return;
    }
    surface.set_fill(Some(fill(style.ink, style.opacity)));
    surface.draw_glyphs(
        Point::from_xy(x, baseline),
        &line.glyphs,
        font(style.face),
        &line.text,
        style.size,
        false,
    );
}

fn draw_fill(surface: &mut Surface<'_>, (x, y, width, height): (f32, f32, f32, f32), ink: Ink) {
    let mut path = PathBuilder::new();
    path.push_rect(Rect::from_xywh(x, y, width, height).expect("marks have a size"));
    surface.set_fill(Some(fill(ink, 1.0)));
    surface.draw_path(&path.finish().expect("a rectangle is a path"));
}

fn fill(ink: Ink, opacity: f32) -> Fill {
    Fill {
        paint: ink.color().into(),
        opacity: share(opacity),
        rule: FillRule::default(),
    }
}

fn artifact(kind: ArtifactType) -> ContentTag<'static> {
    ContentTag::Artifact(Artifact::with_kind(kind))
}
