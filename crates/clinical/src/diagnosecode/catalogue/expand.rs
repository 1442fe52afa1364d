//! Seventh characters: how a code of fewer characters is filled up to carry one.

/// Characters before the seventh, without the dot.
const WIDTH: usize = 6;

/// `S52.501` and `A` make `S52.501A`; `T15.0` and `D` make `T15.0XXD`; `W19` and `A` make `W19.XXXA`.
pub(super) fn with_seventh(code: &str, seventh: char) -> String {
    let mut full = code.to_owned();
    if !full.contains('.') {
        full.push('.');
    }
    while full.len() < WIDTH + 1 {
        full.push('X');
    }
    full.push(seventh);
    full
}

#[cfg(test)]
mod tests {
    use super::with_seventh;

    #[test]
    fn a_short_code_is_filled_with_x() {
        assert_eq!(with_seventh("S52.501", 'A'), "S52.501A");
        assert_eq!(with_seventh("T15.0", 'D'), "T15.0XXD");
        assert_eq!(with_seventh("W19", 'A'), "W19.XXXA");
    }
}
