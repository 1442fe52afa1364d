//! Words that look alike: for misspellings, and for relatives that stemming leaves apart.

use std::collections::HashMap;

/// Shorter words have too few trigrams to tell them apart.
const CHARS_MIN: usize = 4;
/// Candidates by trigrams that are compared letter by letter.
const COMPARED_MAX: usize = 24;
/// Similar words that are kept.
const KEPT_MAX: usize = 6;

/// Different words of one text that are looked up; what has more that are unknown is no text that anybody wrote.
const LOOKED_UP_MAX: usize = 2_000;

type Trigram = [char; 3];

/// The words of one text that were looked up, each once.
#[derive(Debug, Default)]
pub(super) struct LookedUp {
    words: HashMap<String, Vec<(u32, f32)>>,
}

#[derive(Debug)]
pub(super) struct Spelling {
    trigrams: HashMap<Trigram, Vec<u32>>,
    /// Number of trigrams of each stem; zero for those too short.
    sizes: Vec<u16>,
}

impl Spelling {
    pub(super) fn new(stems: &[String]) -> Self {
        let mut trigrams: HashMap<Trigram, Vec<u32>> = HashMap::new();
        let mut sizes = Vec::with_capacity(stems.len());
        for (id, stem) in (0..).zip(stems) {
            let own = if is_comparable(stem) {
                split(stem)
            } else {
                Vec::new()
            };
            sizes.push(u16::try_from(own.len()).unwrap_or(u16::MAX));
            for trigram in own {
                trigrams.entry(trigram).or_default().push(id);
            }
        }
        Self { trigrams, sizes }
    }

    /// As [`Self::similar`], each word once, and none beyond so many.
    pub(super) fn similar_once<'a>(
        &self,
        word: &str,
        stems: &[String],
        least: f32,
        looked_up: &'a mut LookedUp,
    ) -> &'a [(u32, f32)] {
        if !looked_up.words.contains_key(word) {
            if looked_up.words.len() >= LOOKED_UP_MAX {
                return &[];
            }
            let similar = self.similar(word, stems, least);
            looked_up.words.insert(word.to_owned(), similar);
        }
        looked_up.words.get(word).map_or(&[], Vec::as_slice)
    }

    /// Stems at least `least` similar to `word` (0 to 1, itself excluded), most similar first.
    pub(super) fn similar(&self, word: &str, stems: &[String], least: f32) -> Vec<(u32, f32)> {
        if !is_comparable(word) {
            return Vec::new();
        }
        let own = split(word);
        let mut shared: HashMap<u32, u16> = HashMap::new();
        for trigram in &own {
            for id in self.trigrams.get(trigram).map_or(&[][..], Vec::as_slice) {
                *shared.entry(*id).or_default() += 1;
            }
        }
        let size = to_f32(own.len());
        let mut found: Vec<(u32, f32)> = shared
            .into_iter()
            .map(|(id, shared)| {
                let dice = 2.0 * f32::from(shared) / (size + f32::from(self.sizes[id as usize]));
                (id, dice)
            })
            .filter(|(id, dice)| *dice > least * 0.5 && stems[*id as usize] != word)
            .collect();
        sort(&mut found);
        found.truncate(COMPARED_MAX);
        for (id, similarity) in &mut found {
            *similarity = similarity.max(by_letters(word, &stems[*id as usize]));
        }
        found.retain(|(_, similarity)| *similarity >= least);
        sort(&mut found);
        found.truncate(KEPT_MAX);
        found
    }
}

/// The share of letters that need no change; swapped neighbours count as one change.
fn by_letters(a: &str, b: &str) -> f32 {
    let longest = a.chars().count().max(b.chars().count());
    1.0 - to_f32(strsim::osa_distance(a, b)) * 1.5 / to_f32(longest)
}

fn sort(found: &mut [(u32, f32)]) {
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
}

fn is_comparable(word: &str) -> bool {
    word.chars().count() >= CHARS_MIN && !word.contains(char::is_numeric)
}

/// The distinct trigrams of a word that is padded at both ends.
pub(super) fn split(word: &str) -> Vec<Trigram> {
    let padded: Vec<char> = "  "
        .chars()
        .chain(word.chars())
        .chain(" ".chars())
        .collect();
    let mut trigrams: Vec<Trigram> = padded.windows(3).map(|w| [w[0], w[1], w[2]]).collect();
    trigrams.sort_unstable();
    trigrams.dedup();
    trigrams
}

fn to_f32(count: usize) -> f32 {
    f32::from(u16::try_from(count).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelling_finds_its_word_first() {
        let stems: Vec<String> = ["diabet", "diarrhea", "fractur", "pneumonia"]
            .map(str::to_owned)
            .into();
        let spelling = Spelling::new(&stems);
        for (wrong, right) in [
            ("diabeets", 0),
            ("diarhea", 1),
            ("fracutr", 2),
            ("pnuemonia", 3),
        ] {
            let found = spelling.similar(wrong, &stems, 0.5);
            assert_eq!(found.first().map(|(id, _)| *id), Some(right), "{wrong}");
        }
    }

    #[test]
    fn so_many_words_are_looked_up_and_no_more() {
        let stems = ["pneumonia".to_owned()];
        let spelling = Spelling::new(&stems);
        let mut looked_up = LookedUp::default();
        let found = |word: &str, looked_up: &mut LookedUp| {
            !spelling
                .similar_once(word, &stems, 0.5, looked_up)
                .is_empty()
        };
        assert!(found("pneumonai", &mut looked_up));
        for number in 0..2 * LOOKED_UP_MAX {
            found(&format!("word{number}"), &mut looked_up);
        }
        assert_eq!(looked_up.words.len(), LOOKED_UP_MAX);
        assert!(found("pneumonai", &mut looked_up), "it is known already");
        assert!(!found("pnuemonia", &mut looked_up), "it comes too late");
    }
}
