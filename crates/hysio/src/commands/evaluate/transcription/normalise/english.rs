//! Fillers, contractions, titles and spelling of English.

use std::collections::HashMap;

use super::numbers;

const FILLERS: [&str; 7] = ["hmm", "mm", "mhm", "mmm", "uh", "um", "hm"];

/// Words that are said otherwise than they are written.
const WHOLE: [(&str, &str); 36] = [
    ("won't", "will not"),
    ("can't", "can not"),
    ("cannot", "can not"),
    ("let's", "let us"),
    ("ain't", "aint"),
    ("y'all", "you all"),
    ("wanna", "want to"),
    ("gotta", "got to"),
    ("gonna", "going to"),
    ("i'ma", "i am going to"),
    ("imma", "i am going to"),
    ("woulda", "would have"),
    ("coulda", "could have"),
    ("shoulda", "should have"),
    ("ma'am", "madam"),
    ("mr", "mister"),
    ("mrs", "missus"),
    ("st", "saint"),
    ("dr", "doctor"),
    ("prof", "professor"),
    ("capt", "captain"),
    ("gov", "governor"),
    ("gen", "general"),
    ("sen", "senator"),
    ("rep", "representative"),
    ("pres", "president"),
    ("rev", "reverend"),
    ("hon", "honorable"),
    ("asst", "assistant"),
    ("assoc", "associate"),
    ("lt", "lieutenant"),
    ("col", "colonel"),
    ("jr", "junior"),
    ("sr", "senior"),
    ("esq", "esquire"),
    ("ok", "okay"),
];

const ENDINGS: [(&str, &str); 7] = [
    ("n't", "not"),
    ("'re", "are"),
    ("'s", "is"),
    ("'d", "would"),
    ("'ll", "will"),
    ("'ve", "have"),
    ("'m", "am"),
];

/// After these, 's and 'd are "has" and "had".
const PARTICIPLES: [&str; 4] = ["been", "gone", "done", "got"];

pub fn normalise(words: &[String], spellings: &HashMap<String, String>) -> Vec<String> {
    let mut expanded = Vec::with_capacity(words.len());
    for (at, word) in words.iter().enumerate() {
        if FILLERS.contains(&word.as_str()) {
            continue;
        }
        let next = words.get(at + 1).map_or("", String::as_str);
        expand(word, next, &mut expanded);
    }
    let spelt = numbers::to_digits(&expanded).into_iter();
    spelt
        .map(|word| spellings.get(&word).cloned().unwrap_or(word))
        .collect()
}

fn expand(word: &str, next: &str, out: &mut Vec<String>) {
    if let Some((_, said)) = WHOLE.iter().find(|(written, _)| *written == word) {
        out.extend(said.split(' ').map(str::to_owned));
        return;
    }
    let ending = ENDINGS
        .iter()
        .find_map(|(ending, said)| Some((word.strip_suffix(ending)?, *said)));
    match ending {
        Some((stem, said)) if !stem.is_empty() => {
            let perfect = PARTICIPLES.contains(&next);
            let said = match said {
                "is" if perfect => "has",
                "would" if perfect => "had",
                _ => said,
            };
            out.extend([stem.replace('\'', ""), said.to_owned()]);
        }
        _ => out.push(word.replace('\'', "")),
    }
}
