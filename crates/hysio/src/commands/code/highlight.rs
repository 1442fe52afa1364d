//! Marks the words that support a code, for a terminal.

const MARK: &str = "\u{1b}[1;30;43m";
const PLAIN: &str = "\u{1b}[0m";

/// The text with the ranges (code points) marked; they may overlap. Control characters of the text are left out, so
/// that a text cannot drive the terminal.
pub fn marked(text: &str, ranges: &[(usize, usize)]) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut marking = false;
    for (at, character) in text.chars().enumerate() {
        let inside = ranges
            .iter()
            .any(|(start, end)| (*start..*end).contains(&at));
        if inside != marking {
            shown.push_str(if inside { MARK } else { PLAIN });
            marking = inside;
        }
        if !character.is_control() || matches!(character, '\n' | '\t') {
            shown.push(character);
        }
    }
    if marking {
        shown.push_str(PLAIN);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_ranges_are_marked_once_and_escapes_are_dropped() {
        let shown = marked("één\u{1b} knie pijn", &[(5, 9), (7, 9), (10, 14)]);
        assert_eq!(shown, format!("één {MARK}knie{PLAIN} {MARK}pijn{PLAIN}"));
    }
}
