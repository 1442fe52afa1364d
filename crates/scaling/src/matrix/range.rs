//! One tier's range of one signal, as people write it: `< 200`, `200-500`, `> 85%`, `40-70%`.

/// `from` belongs to the range, `to` doesn't, whatever the notation: on an edge the higher tier wins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    /// None: from nothing on.
    pub from: Option<f64>,
    /// None: without an end.
    pub to: Option<f64>,
}

/// What is wrong, and the way out.
pub(crate) type Refusal = (&'static str, String);

impl Range {
    /// `percent`: whether the signal is a share of a hundred, whose ranges then have a `%`.
    pub fn parse(text: &str, percent: bool) -> Result<Self, Refusal> {
        let range = bounds(text, percent)?;
        if let (Some(from), Some(to)) = (range.from, range.to)
            && from >= to
        {
            return Err((
                "begins at or after its end",
                format!("write the smaller number first, such as \"{to}-{from}\""),
            ));
        }
        Ok(range)
    }
}

fn bounds(text: &str, percent: bool) -> Result<Range, Refusal> {
    let text = text.trim();
    let (from, to) = if let Some(rest) = strip(text, &["<=", "<"]) {
        (None, Some(number(rest, percent, true)?))
    } else if let Some(rest) = strip(text, &[">=", ">"]) {
        (Some(number(rest, percent, true)?), None)
    } else if let Some((low, high)) = text.split_once(['-', '–']) {
        // In `40-70%` the sign stands for both.
        let low = number(low, percent, false)?;
        (Some(low), Some(number(high, percent, true)?))
    } else {
        return Err(("is no range", way_out(percent)));
    };
    Ok(Range { from, to })
}

fn strip<'a>(text: &'a str, signs: &[&str]) -> Option<&'a str> {
    signs.iter().find_map(|sign| text.strip_prefix(sign))
}

fn number(text: &str, percent: bool, needs_sign: bool) -> Result<f64, Refusal> {
    let text = text.trim();
    let (digits, has_sign) = match text.strip_suffix('%') {
        Some(digits) => (digits.trim_end(), true),
        None => (text, false),
    };
    if has_sign && !percent {
        return Err((
            "is a percentage of a signal that is a count",
            way_out(false),
        ));
    }
    if percent && needs_sign && !has_sign {
        return Err(("has no %", way_out(true)));
    }
    // Digits and a point alone: no sign, no exponent, no `inf`.
    let plain = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    let value: f64 = plain
        .then(|| digits.parse().ok())
        .flatten()
        .ok_or_else(|| ("is no range", way_out(percent)))?;
    if percent && value > 100.0 {
        return Err(("is over 100 %", way_out(true)));
    }
    Ok(value)
}

fn way_out(percent: bool) -> String {
    if percent {
        "write \"< 40%\", \"40-70%\" or \"> 85%\"".to_owned()
    } else {
        "write \"< 200\", \"200-500\" or \"> 800\"".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_people_write_them() {
        for (text, percent, from, to) in [
            ("< 200", false, None, Some(200.0)),
            ("<=200", false, None, Some(200.0)),
            ("200-500", false, Some(200.0), Some(500.0)),
            ("200 – 500", false, Some(200.0), Some(500.0)),
            ("> 800", false, Some(800.0), None),
            (">= 0.5", false, Some(0.5), None),
            ("40-70%", true, Some(40.0), Some(70.0)),
            ("40%-70 %", true, Some(40.0), Some(70.0)),
            ("> 85%", true, Some(85.0), None),
        ] {
            assert_eq!(
                Range::parse(text, percent),
                Ok(Range { from, to }),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_range_says_why_and_what_to_write() {
        for (text, percent, problem, way_out) in [
            ("", false, "is no range", "200-500"),
            ("200", false, "is no range", "200-500"),
            ("about 200", false, "is no range", "200-500"),
            ("-5-10", false, "is no range", "200-500"),
            ("< 1e3", false, "is no range", "200-500"),
            ("> inf", false, "is no range", "200-500"),
            (
                "500-200",
                false,
                "begins at or after its end",
                "\"200-500\"",
            ),
            ("200-200", false, "begins at or after its end", "smaller"),
            (
                "< 40%",
                false,
                "percentage of a signal that is a count",
                "< 200",
            ),
            ("< 40", true, "has no %", "< 40%"),
            ("85-120%", true, "is over 100 %", "> 85%"),
            ("> 101%", true, "is over 100 %", "> 85%"),
        ] {
            let (said, out) = Range::parse(text, percent).unwrap_err();
            assert!(said.contains(problem), "{text}: {said}");
            assert!(out.contains(way_out), "{text}: {out}");
        }
    }
}
