//! Fillers and number words of Dutch, which are written in one: "tweehonderdvijfentwintig".

const FILLERS: [&str; 7] = ["eh", "ehm", "uh", "uhm", "euh", "hm", "mm"];

const SMALL: [&str; 20] = [
    "nul",
    "een",
    "twee",
    "drie",
    "vier",
    "vijf",
    "zes",
    "zeven",
    "acht",
    "negen",
    "tien",
    "elf",
    "twaalf",
    "dertien",
    "veertien",
    "vijftien",
    "zestien",
    "zeventien",
    "achttien",
    "negentien",
];
const TENS: [&str; 8] = [
    "twintig", "dertig", "veertig", "vijftig", "zestig", "zeventig", "tachtig", "negentig",
];

pub fn normalise(words: &[String]) -> Vec<String> {
    words
        .iter()
        .map(|word| word.replace('\'', ""))
        .filter(|word| !FILLERS.contains(&word.as_str()))
        .map(|word| number(&word).map_or(word, |value| value.to_string()))
        .collect()
}

/// Up to a million less one; "een" counts as 1, as an article too, on both sides alike.
fn number(word: &str) -> Option<u32> {
    match word.split_once("duizend") {
        Some((thousands, rest)) => {
            let thousands = if thousands.is_empty() {
                1
            } else {
                below_thousand(thousands)?
            };
            let rest = if rest.is_empty() {
                0
            } else {
                below_thousand(rest)?
            };
            Some(thousands * 1000 + rest)
        }
        None => below_thousand(word),
    }
}

fn below_thousand(word: &str) -> Option<u32> {
    match word.split_once("honderd") {
        Some((hundreds, rest)) => {
            let hundreds = if hundreds.is_empty() {
                1
            } else {
                below_hundred(hundreds)?
            };
            let rest = if rest.is_empty() {
                0
            } else {
                below_hundred(rest)?
            };
            Some(hundreds * 100 + rest)
        }
        None => below_hundred(word),
    }
}

fn below_hundred(word: &str) -> Option<u32> {
    if let Some(value) = SMALL.iter().position(|it| *it == word) {
        return u32::try_from(value).ok();
    }
    let (at, unit) = TENS
        .iter()
        .enumerate()
        .find_map(|(at, tens)| Some((at, word.strip_suffix(tens)?)))?;
    let tens = 10 * (u32::try_from(at).ok()? + 2);
    if unit.is_empty() {
        return Some(tens);
    }
    let unit = unit.strip_suffix("en")?;
    let unit = SMALL[1..10].iter().position(|it| *it == unit)?;
    Some(tens + u32::try_from(unit).ok()? + 1)
}
