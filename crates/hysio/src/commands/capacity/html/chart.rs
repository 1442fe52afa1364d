//! A chart as SVG: layers over a common scale, with a title, units, a legend, and its data as a table for those who don't see it.

mod paper;

use std::fmt::Write as _;

use super::escape;
use crate::commands::capacity::words::{amount, grouped};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 34.0;

/// Okabe and Ito's colours, which people with any colour vision can tell apart.
pub const BLUE: &str = "#0072B2";
pub const SKY: &str = "#56B4E9";
pub const ORANGE: &str = "#E69F00";
pub const VERMILLION: &str = "#D55E00";
pub const GREEN: &str = "#009E73";
pub const GREY: &str = "#767676";

pub struct Chart {
    pub title: String,
    /// What the vertical axis shows, with its unit.
    pub unit: String,
    /// One sentence for those who don't see it.
    pub summary: String,
    /// What each place on the horizontal axis is called, in the table.
    pub places: Vec<String>,
    /// What is written under the axis: the place and the text.
    pub ticks: Vec<(usize, String)>,
    pub layers: Vec<Layer>,
}

pub struct Layer {
    pub name: String,
    pub colour: &'static str,
    pub shape: Shape,
}

pub enum Shape {
    /// With places that are filled in another colour.
    Bars {
        values: Vec<f64>,
        marked: Vec<usize>,
    },
    /// From a low to a high value at each place.
    Whiskers {
        low: Vec<f64>,
        high: Vec<f64>,
    },
    Band {
        low: Vec<f64>,
        high: Vec<f64>,
    },
    /// A line with gaps where the value is not known.
    Line {
        values: Vec<f64>,
        dashed: bool,
    },
    /// A value that holds for the whole place.
    Steps {
        values: Vec<f64>,
    },
    /// One value across.
    Rule(f64),
}

impl Chart {
    /// `note` is markup that stands below the chart.
    pub fn render(&self, note: &str) -> String {
        let scale = Scale::over(1.04 * self.highest());
        let mut svg = self.axes(&scale);
        for layer in &self.layers {
            svg += &self.draw(layer, &scale);
        }
        format!(
            "<figure><figcaption><strong>{}</strong> <span>{}</span>{}</figcaption>\
             <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">{svg}</svg>{note}{}</figure>\n",
            escape(&self.title),
            escape(&self.unit),
            self.legend(),
            escape(&format!("{}, {}. {}", self.title, self.unit, self.summary)),
            self.table(),
        )
    }

    fn highest(&self) -> f64 {
        let most = |values: &[f64]| {
            values
                .iter()
                .copied()
                .filter(|value| value.is_finite())
                .fold(0.0, f64::max)
        };
        let of = |layer: &Layer| match &layer.shape {
            Shape::Bars { values, .. } | Shape::Line { values, .. } | Shape::Steps { values } => {
                most(values)
            }
            Shape::Whiskers { high, .. } | Shape::Band { high, .. } => most(high),
            Shape::Rule(value) => *value,
        };
        self.layers.iter().map(of).fold(0.0, f64::max)
    }

    /// The left edge of a place.
    fn x(&self, place: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * place / self.places.len().max(1) as f64
    }

    fn axes(&self, scale: &Scale) -> String {
        let mut out = String::new();
        for value in scale.ticks() {
            let y = scale.y(value);
            let _ = write!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 7.0,
                y + 4.0,
                scale.label(value)
            );
        }
        let base = HEIGHT - BOTTOM;
        let _ = write!(
            out,
            "<path class=\"axis\" d=\"M{LEFT} {base}H{:.1}\"/>",
            WIDTH - RIGHT
        );
        for (place, text) in &self.ticks {
            let x = self.x(*place as f64 + 0.5);
            let _ = write!(
                out,
                "<path class=\"axis\" d=\"M{x:.1} {base}v4\"/><text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                base + 18.0,
                escape(text)
            );
        }
        out
    }

    fn draw(&self, layer: &Layer, scale: &Scale) -> String {
        let colour = layer.colour;
        match &layer.shape {
            Shape::Bars { values, marked } => self.bars(values, marked, colour, scale),
            Shape::Whiskers { low, high } => {
                let mut path = String::new();
                for (at, (low, high)) in low
                    .iter()
                    .zip(high)
                    .enumerate()
                    .filter(|(_, (low, high))| low.is_finite() && high.is_finite())
                {
                    let x = self.x(at as f64 + 0.5);
                    let _ = write!(path, "M{x:.1} {:.1}V{:.1}", scale.y(*low), scale.y(*high));
                }
                format!(
                    "<path d=\"{path}\" stroke=\"{colour}\" stroke-width=\"1.5\" fill=\"none\"/>"
                )
            }
            Shape::Band { low, high } => self.band(low, high, colour, scale),
            Shape::Line { values, dashed } => {
                let dash = if *dashed {
                    " stroke-dasharray=\"5 4\""
                } else {
                    ""
                };
                let path = self.line(values.iter().copied().enumerate(), scale);
                format!(
                    "<path d=\"{path}\" stroke=\"{colour}\" stroke-width=\"2\" fill=\"none\" stroke-linejoin=\"round\"{dash}/>"
                )
            }
            Shape::Steps { values } => {
                let mut path = String::new();
                for (at, value) in values.iter().enumerate() {
                    let command = if at == 0 { 'M' } else { 'L' };
                    let y = scale.y(*value);
                    let _ = write!(
                        path,
                        "{command}{:.1} {y:.1}H{:.1}",
                        self.x(at as f64),
                        self.x(at as f64 + 1.0)
                    );
                }
                format!(
                    "<path d=\"{path}\" stroke=\"{colour}\" stroke-width=\"2.5\" fill=\"none\"/>"
                )
            }
            Shape::Rule(value) => {
                let y = scale.y(*value);
                format!(
                    "<path d=\"M{LEFT} {y:.1}H{:.1}\" stroke=\"{colour}\" stroke-width=\"1.5\" stroke-dasharray=\"6 4\"/>",
                    WIDTH - RIGHT
                )
            }
        }
    }

    fn bars(&self, values: &[f64], marked: &[usize], colour: &str, scale: &Scale) -> String {
        let mut out = String::new();
        let width = self.x(1.0) - self.x(0.0);
        for (at, value) in values
            .iter()
            .enumerate()
            .filter(|(_, value)| value.is_finite())
        {
            let fill = if marked.contains(&at) { ORANGE } else { colour };
            let y = scale.y(*value);
            let _ = write!(
                out,
                "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{fill}\"/>",
                self.x(at as f64) + 0.12 * width,
                0.76 * width,
                (HEIGHT - BOTTOM - y).max(0.0)
            );
        }
        out
    }

    fn band(&self, low: &[f64], high: &[f64], colour: &str, scale: &Scale) -> String {
        let known: Vec<usize> = (0..low.len())
            .filter(|at| low[*at].is_finite() && high[*at].is_finite())
            .collect();
        let mut path = self.line(known.iter().map(|at| (*at, high[*at])), scale);
        let back = self.line(known.iter().rev().map(|at| (*at, low[*at])), scale);
        path += &back.replacen('M', "L", 1);
        format!("<path d=\"{path}Z\" fill=\"{colour}\" fill-opacity=\"0.3\" stroke=\"none\"/>")
    }

    fn line(&self, points: impl Iterator<Item = (usize, f64)>, scale: &Scale) -> String {
        let mut path = String::new();
        let mut pen_is_down = false;
        for (at, value) in points {
            if value.is_finite() {
                let command = if pen_is_down { 'L' } else { 'M' };
                let _ = write!(
                    path,
                    "{command}{:.1} {:.1}",
                    self.x(at as f64 + 0.5),
                    scale.y(value)
                );
            }
            pen_is_down = value.is_finite();
        }
        path
    }

    fn legend(&self) -> String {
        let mut items = String::new();
        for layer in &self.layers {
            let style = match &layer.shape {
                Shape::Bars { .. } | Shape::Band { .. } => "background",
                Shape::Line { dashed: true, .. } | Shape::Rule(_) => "border-top: 3px dashed",
                Shape::Line { .. } | Shape::Steps { .. } | Shape::Whiskers { .. } => {
                    "border-top: 3px solid"
                }
            };
            let (style, class) = match style {
                "background" => (format!("background:{}", layer.colour), "area"),
                border => (format!("{border} {}", layer.colour), "line"),
            };
            let name = escape(&layer.name);
            let _ = write!(
                items,
                "<li><i class=\"{class}\" style=\"{style}\"></i>{name}</li>"
            );
            if matches!(&layer.shape, Shape::Bars { marked, .. } if !marked.is_empty()) {
                let _ = write!(
                    items,
                    "<li><i class=\"area\" style=\"background:{ORANGE}\"></i>peak</li>"
                );
            }
        }
        format!("<ul class=\"legend\">{items}</ul>")
    }

    fn table(&self) -> String {
        let mut head = String::from("<th scope=\"col\"></th>");
        let mut columns: Vec<&[f64]> = Vec::new();
        for layer in &self.layers {
            let name = escape(&layer.name);
            match &layer.shape {
                Shape::Bars { values, .. }
                | Shape::Line { values, .. }
                | Shape::Steps { values } => {
                    let _ = write!(head, "<th scope=\"col\">{name}</th>");
                    columns.push(values);
                }
                Shape::Whiskers { low, high } | Shape::Band { low, high } => {
                    let _ = write!(
                        head,
                        "<th scope=\"col\">{name}, from</th><th scope=\"col\">to</th>"
                    );
                    columns.extend([low.as_slice(), high.as_slice()]);
                }
                Shape::Rule(_) => {}
            }
        }
        let mut rows = String::new();
        for (at, place) in self.places.iter().enumerate() {
            let _ = write!(rows, "<tr><th scope=\"row\">{}</th>", escape(place));
            for column in &columns {
                let value = column.get(at).copied().filter(|value| value.is_finite());
                let _ = write!(rows, "<td>{}</td>", value.map(amount).unwrap_or_default());
            }
            rows += "</tr>";
        }
        format!(
            "<details><summary>Data of “{}”</summary><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></details>",
            escape(&self.title)
        )
    }
}

/// A vertical scale from zero in steps of 1, 2 or 5.
struct Scale {
    step: f64,
    top: f64,
}

impl Scale {
    fn over(highest: f64) -> Self {
        let highest = if highest > 0.0 { highest } else { 1.0 };
        let rough = highest / 4.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|it| it * power)
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        Self {
            step,
            top: (highest / step - 1e-9).ceil() * step,
        }
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let count = (self.top / self.step).round() as u32;
        (0..=count).map(|at| f64::from(at) * self.step)
    }

    /// With the decimals of the step.
    fn label(&self, value: f64) -> String {
        let decimals = (-self.step.log10().floor()).clamp(0.0, 6.0) as usize;
        grouped(&format!("{value:.decimals$}"))
    }

    fn y(&self, value: f64) -> f64 {
        TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - value.clamp(0.0, self.top) / self.top)
    }
}
