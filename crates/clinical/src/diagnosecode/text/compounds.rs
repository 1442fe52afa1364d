//! Dutch compounds taken apart: `hersenzenuwaandoening` is `hersenzenuw` and `aandoening`, or `hersen`, `zenuw` and
//! `aandoening`. The fewest parts win, known ones before mere relatives of English words.

/// A part has at least this many letters; one that is known by its English relative alone, more.
const PART_CHARS_MIN: usize = 3;
const RELATIVE_CHARS_MIN: usize = 5;
/// Longer words are no compounds that people write; the work of taking them apart grows with their length.
const WORD_CHARS_MAX: usize = 40;
/// What may stand between two parts.
const LINKS: [&str; 5] = ["", "s", "e", "en", "n"];
/// Costs of a part and of a link. A relative costs more than a known part, less than two.
const KNOWN_COST: u32 = 10;
const RELATIVE_COST: u32 = 14;
const LINK_COST: u32 = 1;

/// A part of a compound as the caller knows it.
pub(super) enum Part<M> {
    Known(Vec<M>),
    Relative(Vec<M>),
}

/// The meanings of a compound's parts, in order; nothing if it cannot be taken apart into two or more.
pub(super) fn split<M: Clone>(
    word: &str,
    mut part: impl FnMut(&str) -> Option<Part<M>>,
) -> Option<Vec<M>> {
    if word.len() > WORD_CHARS_MAX || !word.is_ascii() {
        return None;
    }
    let mut best: Vec<Option<Reached<M>>> = Vec::new();
    best.resize_with(word.len() + 1, || None);
    best[0] = Some(Reached {
        cost: 0,
        start: 0,
        meaning: Vec::new(),
    });
    for start in 0..word.len() {
        let Some(cost) = best[start].as_ref().map(|reached| reached.cost) else {
            continue;
        };
        for end in start + PART_CHARS_MIN..=word.len() {
            if (start, end) == (0, word.len()) {
                continue;
            }
            let piece = &word[start..end];
            let (own, meaning) = match part(piece) {
                Some(Part::Known(meaning)) => (KNOWN_COST, meaning),
                Some(Part::Relative(meaning)) if piece.len() >= RELATIVE_CHARS_MIN => {
                    (RELATIVE_COST, meaning)
                }
                Some(Part::Relative(_)) | None => continue,
            };
            for link in LINKS {
                let next = end + link.len();
                let is_last = next == word.len();
                if !word[end..].starts_with(link) || (is_last && !link.is_empty()) {
                    continue;
                }
                let cost = cost + own + if link.is_empty() { 0 } else { LINK_COST };
                if best[next].as_ref().is_none_or(|known| cost < known.cost) {
                    best[next] = Some(Reached {
                        cost,
                        start,
                        meaning: meaning.clone(),
                    });
                }
            }
        }
    }
    meanings(best)
}

/// How a place in a word is best reached.
struct Reached<M> {
    cost: u32,
    /// Where its last part starts.
    start: usize,
    meaning: Vec<M>,
}

fn meanings<M: Clone>(mut best: Vec<Option<Reached<M>>>) -> Option<Vec<M>> {
    let mut parts = Vec::new();
    let mut at = best.len() - 1;
    while at > 0 {
        let reached = best[at].take()?;
        parts.push(reached.meaning);
        at = reached.start;
    }
    parts.reverse();
    Some(parts.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn english(word: &str) -> Option<String> {
        let known = |part: &str| {
            let meaning = match part {
                "hersen" => "brain",
                "zenuw" => "nerve",
                "hersenzenuw" => "cranial nerve",
                "aandoening" => "disease",
                "ziekte" => "disease",
                "schouder" => "shoulder",
                "pijn" => "pain",
                "knie" => "knee",
                "linker" => "left",
                _ => return None,
            };
            Some(Part::Known(vec![meaning.to_owned()]))
        };
        split(word, |part| {
            known(part).or_else(|| {
                ["urethra", "degeneratie"]
                    .contains(&part)
                    .then(|| Part::Relative(vec![part.to_owned()]))
            })
        })
        .map(|parts| parts.join(" "))
    }

    #[test]
    fn the_fewest_parts_win_and_links_are_dropped() {
        for (word, parts) in [
            ("linkerknie", Some("left knee")),
            ("schouderspijn", Some("shoulder pain")),
            ("hersenzenuwaandoening", Some("cranial nerve disease")),
            ("hersenziekte", Some("brain disease")),
            ("urethrapijn", Some("urethra pain")),
            ("kniedegeneratie", Some("knee degeneratie")),
            ("knie", None),
            ("kniex", None),
            ("aandoening", None),
        ] {
            assert_eq!(english(word).as_deref(), parts, "{word}");
        }
        assert_eq!(english(&"knie".repeat(20)), None);
    }
}
