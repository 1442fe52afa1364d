//! Places a document's blocks on pages: where each line, rule and band goes, and which structure element it belongs to.
//! Pure. Headings stay with what follows, paragraphs leave no single line behind, tables repeat their head.

mod measure;

use measure::{
    CARD_PADDING, TABLE_LEAD, bullet, card_width, cards_height, heading_shape, kept_lines,
    label_width, lead_height, table_column,
};

use krilla::geom::Rect;

use super::{
    Error, MOST_PAGES,
    document::{Block, Card, Document, Figure, Level, Table},
    structure::{Kind, NodeId, Structure},
    text::{Line, lines, single_line},
    theme::{
        BODY, BODY_BOTTOM, BODY_TOP, BODY_WIDTH, BULLET_INDENT, CARD_TITLE, CELL_PADDING,
        COLUMN_GAP, Ink, LABEL, LEFT, REMARK, SUBTITLE, Style, TABLE_CELL, TABLE_HEAD, TITLE,
        VALUE, WARNING,
    },
};

pub struct Layout {
    pub pages: Vec<Page>,
    pub structure: Structure,
    pub bookmarks: Vec<Bookmark>,
}

#[derive(Default)]
pub struct Page {
    pub marks: Vec<Mark>,
}

pub enum Mark {
    Text {
        line: Line,
        style: Style,
        x: f32,
        baseline: f32,
        /// None for what a screen reader should skip.
        node: Option<NodeId>,
    },
    /// A filled rectangle: a rule or a band.
    Fill {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        ink: Ink,
    },
    Figure {
        figure: Figure,
        top: f32,
        node: NodeId,
    },
}

pub struct Bookmark {
    pub level: Level,
    pub text: String,
    pub page: usize,
    pub y: f32,
}

/// # Errors
/// When the document needs more than [`MOST_PAGES`].
pub fn lay_out(document: &Document) -> Result<Layout, Error> {
    let mut flow = Flow::new();
    for (index, block) in document.blocks.iter().enumerate() {
        flow.block(block, lead_height(&document.blocks[index + 1..]))?;
    }
    Ok(flow.layout)
}

struct Flow {
    layout: Layout,
    /// Top of what comes next.
    y: f32,
    /// Where the last heading ended; above the top where that was on an earlier page.
    below_heading: f32,
}

impl Flow {
    fn new() -> Self {
        Self {
            layout: Layout {
                pages: vec![Page::default()],
                structure: Structure::default(),
                bookmarks: Vec::new(),
            },
            y: BODY_TOP,
            below_heading: 0.0,
        }
    }

    fn block(&mut self, block: &Block, lead: f32) -> Result<(), Error> {
        match block {
            Block::Title { text, subtitle } => self.title(text, subtitle),
            Block::Heading { level, text } => self.heading(*level, text, lead),
            Block::Text(text) => self.text(text),
            Block::Remark(text) => self.paragraph(text, REMARK, LEFT, BODY_WIDTH),
            Block::Warning(text) => self.warning(text),
            Block::Cards(cards) => self.cards(cards),
            Block::Table(table) => self.table(table),
            Block::Figure(figure) => self.figure(figure),
            Block::Gap => {
                self.space(8.0);
                Ok(())
            }
            Block::PageBreak => self.new_page(),
        }
    }

    fn title(&mut self, text: &str, subtitle: &str) -> Result<(), Error> {
        let node = self.layout.structure.add(
            Kind::Heading {
                level: 1,
                title: text.to_owned(),
            },
            None,
        );
        for line in lines(text, TITLE, BODY_WIDTH) {
            self.line(line, TITLE, LEFT, Some(node))?;
        }
        self.paragraph(subtitle, SUBTITLE, LEFT, BODY_WIDTH)?;
        self.space(12.0);
        Ok(())
    }

    fn heading(&mut self, level: Level, text: &str, lead: f32) -> Result<(), Error> {
        let (style, before, after, rank) = heading_shape(level);
        self.need(before + style.leading + after + lead)?;
        // Below another heading its own space is enough.
        if self.y > BODY_TOP && self.y > self.below_heading {
            self.space(before);
        }
        self.layout.bookmarks.push(Bookmark {
            level,
            text: text.to_owned(),
            page: self.layout.pages.len() - 1,
            y: self.y,
        });
        let node = self.layout.structure.add(
            Kind::Heading {
                level: rank,
                title: text.to_owned(),
            },
            None,
        );
        for line in lines(text, style, BODY_WIDTH) {
            self.line(line, style, LEFT, Some(node))?;
        }
        self.space(after);
        self.below_heading = self.y;
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Error> {
        let mut parted = false;
        for paragraph in text.trim().lines() {
            if paragraph.trim().is_empty() {
                parted = true;
                continue;
            }
            if std::mem::take(&mut parted) {
                self.space(BODY.leading / 2.0);
            }
            match bullet(paragraph) {
                Some((mark, rest)) => self.bullet(mark, rest)?,
                None => self.paragraph(paragraph.trim_end(), BODY, LEFT, BODY_WIDTH)?,
            }
        }
        Ok(())
    }

    fn bullet(&mut self, mark: &str, rest: &str) -> Result<(), Error> {
        let node = self.layout.structure.add(Kind::Paragraph, None);
        let body = lines(rest, BODY, BODY_WIDTH - BULLET_INDENT);
        self.need(BODY.leading * kept_lines(0, body.len()))?;
        let marker = lines(mark, BODY, BULLET_INDENT).swap_remove(0);
        self.put(marker, BODY, LEFT, Some(node));
        self.paragraph_lines(body, BODY, LEFT + BULLET_INDENT, node)
    }

    fn paragraph(&mut self, text: &str, style: Style, x: f32, width: f32) -> Result<(), Error> {
        let node = self.layout.structure.add(Kind::Paragraph, None);
        self.paragraph_lines(lines(text, style, width), style, x, node)
    }

    fn paragraph_lines(
        &mut self,
        lines: Vec<Line>,
        style: Style,
        x: f32,
        node: NodeId,
    ) -> Result<(), Error> {
        let count = lines.len();
        for (index, line) in lines.into_iter().enumerate() {
            self.need(style.leading * kept_lines(index, count))?;
            self.line(line, style, x, Some(node))?;
        }
        Ok(())
    }

    fn warning(&mut self, text: &str) -> Result<(), Error> {
        const INDENT: f32 = 12.0;
        let body = lines(text, WARNING, BODY_WIDTH - INDENT);
        #[expect(clippy::cast_precision_loss, reason = "a warning is a few lines")]
        let height = WARNING.leading * body.len() as f32;
        self.need(height)?;
        self.fill(LEFT, self.y, 2.5, height, Ink::Warning);
        let node = self.layout.structure.add(Kind::Paragraph, None);
        self.paragraph_lines(body, WARNING, LEFT + INDENT, node)?;
        self.space(12.0);
        Ok(())
    }

    fn cards(&mut self, cards: &[Card]) -> Result<(), Error> {
        let height = cards_height(cards);
        self.need(height)?;
        let top = self.y;
        let width = card_width(cards);
        let mut x = LEFT;
        for card in cards {
            self.fill(x, top, width, height, Ink::Band);
            self.fill(x, top, width, 1.4, Ink::Accent);
            self.y = top + CARD_PADDING;
            self.card(card, x + CARD_PADDING, width - 2.0 * CARD_PADDING)?;
            x += width + COLUMN_GAP;
        }
        self.y = top + height + 4.0;
        Ok(())
    }

    fn card(&mut self, card: &Card, x: f32, width: f32) -> Result<(), Error> {
        if !card.title.is_empty() {
            self.paragraph(&card.title, CARD_TITLE, x, width)?;
            self.space(2.0);
        }
        let indent = label_width(card);
        let table = self.layout.structure.add(Kind::Table, None);
        for (label, value) in &card.facts {
            let row = self.layout.structure.add(Kind::Row, Some(table));
            let head = self.layout.structure.add(Kind::RowHead, Some(row));
            let cell = self.layout.structure.add(Kind::Cell, Some(row));
            self.put(single_line(label, LABEL.face), LABEL, x, Some(head));
            for line in lines(value, VALUE, width - indent) {
                self.line(line, VALUE, x + indent, Some(cell))?;
            }
        }
        Ok(())
    }

    fn table(&mut self, table: &Table) -> Result<(), Error> {
        self.need(TABLE_LEAD)?;
        let node = self.layout.structure.add(Kind::Table, None);
        let head = self.layout.structure.add(Kind::Row, Some(node));
        self.table_head(table, Some(head))?;
        for cells in &table.rows {
            self.row(table, cells, node)?;
        }
        Ok(())
    }

    /// Repeated on each page; only the first belongs to the structure.
    fn table_head(&mut self, table: &Table, row: Option<NodeId>) -> Result<(), Error> {
        let top = self.y;
        let mut bottom = top;
        for (index, column) in table.columns.iter().enumerate() {
            let node = row.map(|row| self.layout.structure.add(Kind::ColumnHead, Some(row)));
            let (x, width) = table_column(table, index);
            self.y = top;
            for line in lines(&column.title, TABLE_HEAD, width) {
                self.line(line, TABLE_HEAD, x, node)?;
            }
            bottom = bottom.max(self.y);
        }
        self.y = bottom + 3.0;
        self.fill(LEFT, self.y, BODY_WIDTH, 0.9, Ink::Accent);
        self.space(0.9);
        Ok(())
    }

    /// Kept on one page, unless it is higher than half a page: then it is broken between lines.
    fn row(&mut self, table: &Table, cells: &[String], parent: NodeId) -> Result<(), Error> {
        let row = self.layout.structure.add(Kind::Row, Some(parent));
        let padding = if table.ruled {
            CELL_PADDING
        } else {
            CELL_PADDING / 2.0
        };
        let mut columns: Vec<_> = cells
            .iter()
            .enumerate()
            .map(|(index, cell)| {
                let (x, width) = table_column(table, index);
                let node = self.layout.structure.add(Kind::Cell, Some(row));
                (x, node, lines(cell, TABLE_CELL, width).into_iter())
            })
            .collect();
        let height = columns
            .iter()
            .map(|(_, _, lines)| lines.len())
            .max()
            .unwrap_or(0);
        #[expect(
            clippy::cast_precision_loss,
            reason = "text is bounded to far fewer lines"
        )]
        let whole = TABLE_CELL.leading * height as f32 + 2.0 * padding;
        if whole <= (BODY_BOTTOM - BODY_TOP) / 2.0 && self.y + whole > BODY_BOTTOM {
            self.new_page()?;
            self.table_head(table, None)?;
        }
        self.space(padding);
        for _ in 0..height {
            if self.y + TABLE_CELL.leading > BODY_BOTTOM {
                self.new_page()?;
                self.table_head(table, None)?;
                self.space(padding);
            }
            for (x, node, rest) in &mut columns {
                if let Some(line) = rest.next() {
                    self.put(line, TABLE_CELL, *x, Some(*node));
                }
            }
            self.space(TABLE_CELL.leading);
        }
        self.space(padding);
        if table.ruled {
            self.fill(LEFT, self.y, BODY_WIDTH, 0.5, Ink::Hairline);
        }
        Ok(())
    }

    fn figure(&mut self, figure: &Figure) -> Result<(), Error> {
        let height = figure.height * BODY_WIDTH / figure.width;
        self.need(height)?;
        let top = self.y;
        let node = self.layout.structure.add(
            Kind::Figure {
                alternative: figure.alternative.clone(),
                page: self.layout.pages.len() - 1,
                place: Rect::from_xywh(LEFT, top, BODY_WIDTH, height).expect("figures have a size"),
            },
            None,
        );
        let figure = figure.clone();
        self.page().marks.push(Mark::Figure { figure, top, node });
        self.space(height + 8.0);
        Ok(())
    }

    fn line(
        &mut self,
        line: Line,
        style: Style,
        x: f32,
        node: Option<NodeId>,
    ) -> Result<(), Error> {
        self.need(style.leading)?;
        self.put(line, style, x, node);
        self.space(style.leading);
        Ok(())
    }

    /// Draws at the current height without moving on.
    fn put(&mut self, line: Line, style: Style, x: f32, node: Option<NodeId>) {
        // The line stands in the middle of its leading; capitals are about two thirds of the size.
        let baseline = self.y + (style.leading + 0.66 * style.size) / 2.0;
        self.page().marks.push(Mark::Text {
            line,
            style,
            x,
            baseline,
            node,
        });
    }

    fn fill(&mut self, x: f32, y: f32, width: f32, height: f32, ink: Ink) {
        self.page().marks.push(Mark::Fill {
            x,
            y,
            width,
            height,
            ink,
        });
    }

    fn space(&mut self, height: f32) {
        self.y += height;
    }

    fn need(&mut self, height: f32) -> Result<(), Error> {
        if self.y + height > BODY_BOTTOM + 0.01 && self.y > BODY_TOP {
            self.new_page()?;
        }
        Ok(())
    }

    fn new_page(&mut self) -> Result<(), Error> {
        if self.layout.pages.len() == MOST_PAGES {
            return Err(Error::TooManyPages);
        }
        self.layout.pages.push(Page::default());
        self.y = BODY_TOP;
        self.below_heading = 0.0;
        Ok(())
    }

    fn page(&mut self) -> &mut Page {
        self.layout
            .pages
            .last_mut()
            .expect("there is always a page")
    }
}
