//! English words to stems: British spelling and Latin plurals first, then Porter's stemmer.

use rust_stemmers::{Algorithm, Stemmer};

/// Words this short are abbreviations or function words; stemming only harms them.
const STEMMED_CHARS_MIN: usize = 4;

pub(crate) fn stem(word: &str) -> String {
    if word.chars().count() < STEMMED_CHARS_MIN || word.starts_with(|c: char| c.is_numeric()) {
        return roman(word).unwrap_or(word).to_owned();
    }
    let american = americanise(word);
    Stemmer::create(Algorithm::English)
        .stem(&singular(american))
        .into_owned()
}

/// Roman numerals up to ten, except `i`, `v` and `x`, which are words as often.
fn roman(word: &str) -> Option<&'static str> {
    Some(match word {
        "ii" => "2",
        "iii" => "3",
        "iv" => "4",
        "vi" => "6",
        "vii" => "7",
        "viii" => "8",
        "ix" => "9",
        _ => return None,
    })
}

/// `haemorrhage`, `oedema`, `tumour`, `goitre`, `fibre`, `ischaemic` in American spelling.
fn americanise(word: &str) -> String {
    let mut word = word.replace("ae", "e").replace("oe", "e");
    for (british, american) in [
        ("our", "or"),
        ("ours", "ors"),
        ("itre", "iter"),
        ("ibre", "iber"),
    ] {
        if let Some(base) = word.strip_suffix(british) {
            word = format!("{base}{american}");
            break;
        }
    }
    word.replace("sation", "zation")
        .replace("ulphu", "ulfu")
        .replace("isation", "ization")
}

/// Latin and Greek plurals that Porter's stemmer leaves alone.
fn singular(word: String) -> String {
    for (plural, single) in [
        ("omata", "oma"),
        ("oses", "osis"),
        ("yses", "ysis"),
        ("ices", "ex"),
        ("nges", "nx"),
        ("itides", "itis"),
    ] {
        if let Some(base) = word.strip_suffix(plural) {
            return format!("{base}{single}");
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn spellings_and_plurals_meet() {
        assert_eq!(stem("tumours"), stem("tumor"));
        assert_eq!(stem("haemorrhages"), stem("hemorrhage"));
        assert_eq!(stem("carcinomata"), stem("carcinoma"));
        assert_eq!(stem("diabetic"), stem("diabetes"));
        assert_eq!(stem("iii"), "3");
    }
}
