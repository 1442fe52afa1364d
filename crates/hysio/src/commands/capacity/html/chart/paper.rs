//! The same chart as a figure of a printed report.

use hysio_infra::pdf::document::{Anchor, Colour, Figure, Shape as Mark};

use super::{BOTTOM, Chart, HEIGHT, LEFT, Layer, ORANGE, RIGHT, Scale, Shape, WIDTH};

/// Room above for the title, and below for the legend.
const ABOVE: f64 = 22.0;
const BELOW: f64 = 26.0;
/// About the width of a character, for the legend.
const CHARACTER: f64 = 6.4;
const TEXT: Colour = [91, 102, 115];
const GRID: Colour = [221, 227, 225];

impl Chart {
    #[must_use]
    pub fn figure(&self) -> Figure {
        let scale = Scale::over(1.04 * self.highest());
        let title = words(
            LEFT,
            -8.0,
            &format!("{}, {}", self.title, self.unit),
            Anchor::Start,
        );
        let mut shapes = vec![title];
        shapes.extend(self.scales(&scale));
        for layer in &self.layers {
            shapes.extend(self.marks(layer, &scale));
        }
        shapes.extend(self.keys());
        Figure {
            alternative: format!("{}, {}. {}", self.title, self.unit, self.summary),
            width: WIDTH as f32,
            height: (ABOVE + HEIGHT + BELOW) as f32,
            shapes,
        }
    }

    fn scales(&self, scale: &Scale) -> Vec<Mark> {
        let right = WIDTH - RIGHT;
        let mut marks = Vec::new();
        for value in scale.ticks() {
            let y = scale.y(value);
            marks.push(line([(LEFT, y), (right, y)], GRID, 1.0, false));
            marks.push(words(LEFT - 7.0, y + 4.0, &scale.label(value), Anchor::End));
        }
        let base = HEIGHT - BOTTOM;
        marks.push(line([(LEFT, base), (right, base)], TEXT, 1.0, false));
        for (place, text) in &self.ticks {
            let x = self.x(*place as f64 + 0.5);
            marks.push(line([(x, base), (x, base + 4.0)], TEXT, 1.0, false));
            marks.push(words(x, base + 18.0, text, Anchor::Middle));
        }
        marks
    }

    fn marks(&self, layer: &Layer, scale: &Scale) -> Vec<Mark> {
        let colour = rgb(layer.colour);
        let middle = |at: usize| self.x(at as f64 + 0.5);
        match &layer.shape {
            Shape::Bars { values, marked } => self.bars_on_paper(values, marked, colour, scale),
            Shape::Whiskers { low, high } => known(low, high)
                .map(|(at, low, high)| {
                    let ends = [(middle(at), scale.y(low)), (middle(at), scale.y(high))];
                    line(ends, colour, 1.5, false)
                })
                .collect(),
            Shape::Band { low, high } => {
                let above = known(low, high).map(|(at, _, high)| (middle(at), scale.y(high)));
                let mut below: Vec<_> = known(low, high)
                    .map(|(at, low, _)| (middle(at), scale.y(low)))
                    .collect();
                below.reverse();
                vec![area(above.chain(below), colour, 0.3)]
            }
            Shape::Line { values, dashed } => {
                let points: Vec<_> = values
                    .iter()
                    .enumerate()
                    .map(|(at, value)| (middle(at), *value))
                    .collect();
                points
                    .split(|(_, value)| !value.is_finite())
                    .map(|run| {
                        let run = run.iter().map(|(x, value)| (*x, scale.y(*value)));
                        line(run, colour, 2.0, *dashed)
                    })
                    .collect()
            }
            Shape::Steps { values } => {
                let steps = values.iter().enumerate().flat_map(|(at, value)| {
                    let y = scale.y(*value);
                    [(self.x(at as f64), y), (self.x(at as f64 + 1.0), y)]
                });
                vec![line(steps, colour, 2.5, false)]
            }
            Shape::Rule(value) => {
                let y = scale.y(*value);
                vec![line([(LEFT, y), (WIDTH - RIGHT, y)], colour, 1.5, true)]
            }
        }
    }

    fn bars_on_paper(
        &self,
        values: &[f64],
        marked: &[usize],
        colour: Colour,
        scale: &Scale,
    ) -> Vec<Mark> {
        let width = self.x(1.0) - self.x(0.0);
        let bars = values.iter().enumerate().filter(|(_, it)| it.is_finite());
        bars.map(|(at, value)| {
            let left = self.x(at as f64) + 0.12 * width;
            let (right, top, base) = (left + 0.76 * width, scale.y(*value), HEIGHT - BOTTOM);
            let outline = [(left, base), (left, top), (right, top), (right, base)];
            let colour = match marked.contains(&at) {
                true => rgb(ORANGE),
                false => colour,
            };
            area(outline, colour, 1.0)
        })
        .collect()
    }

    /// What each colour is, under the axis.
    fn keys(&self) -> Vec<Mark> {
        let mut keys: Vec<(&str, Colour, bool)> = Vec::new();
        for layer in &self.layers {
            let is_area = matches!(layer.shape, Shape::Bars { .. } | Shape::Band { .. });
            keys.push((&layer.name, rgb(layer.colour), is_area));
            if matches!(&layer.shape, Shape::Bars { marked, .. } if !marked.is_empty()) {
                keys.push(("peak", rgb(ORANGE), true));
            }
        }
        let (mut x, y) = (LEFT, HEIGHT + 12.0);
        let mut marks = Vec::new();
        for (name, colour, is_area) in keys {
            marks.push(if is_area {
                let corners = [(x, y - 8.0), (x + 18.0, y - 8.0), (x + 18.0, y), (x, y)];
                area(corners, colour, 0.8)
            } else {
                line([(x, y - 4.0), (x + 18.0, y - 4.0)], colour, 2.0, false)
            });
            marks.push(words(x + 24.0, y, name, Anchor::Start));
            x += 48.0 + CHARACTER * name.chars().count() as f64;
        }
        marks
    }
}

/// Places whose low and high value are known.
fn known<'a>(low: &'a [f64], high: &'a [f64]) -> impl Iterator<Item = (usize, f64, f64)> + 'a {
    low.iter()
        .zip(high)
        .enumerate()
        .filter(|(_, (low, high))| low.is_finite() && high.is_finite())
        .map(|(at, (low, high))| (at, *low, *high))
}

fn placed((x, y): (f64, f64)) -> (f32, f32) {
    (x as f32, (y + ABOVE) as f32)
}

fn line(
    points: impl IntoIterator<Item = (f64, f64)>,
    colour: Colour,
    width: f32,
    dashed: bool,
) -> Mark {
    Mark::Line {
        points: points.into_iter().map(placed).collect(),
        colour,
        width,
        dashed,
    }
}

fn area(outline: impl IntoIterator<Item = (f64, f64)>, colour: Colour, opacity: f32) -> Mark {
    Mark::Area {
        outline: outline.into_iter().map(placed).collect(),
        colour,
        opacity,
    }
}

fn words(x: f64, y: f64, text: &str, anchor: Anchor) -> Mark {
    let (x, y) = placed((x, y));
    Mark::Words {
        text: text.to_owned(),
        x,
        y,
        anchor,
    }
}

/// Of `#RRGGBB`.
fn rgb(colour: &str) -> Colour {
    let value = u32::from_str_radix(colour.trim_start_matches('#'), 16).unwrap_or(0);
    let [_, red, green, blue] = value.to_be_bytes();
    [red, green, blue]
}
