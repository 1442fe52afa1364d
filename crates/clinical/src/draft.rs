//! The first draft of a note: each sentence of the transcript is put under the section it belongs to.
//!
//! Two signs are used. A heading that the clinician speaks ("Objective:", "Plan is") opens a section that lasts until the
//! next heading. Without headings, a sentence goes where its first cue sends it ("on examination" → objective,
//! "we will" → plan), and what has no cue is the patient's story. No word is added, changed or left out but the headings,
//! and what follows one begins with a capital; so a draft can be wrong about the place of a sentence but never about what
//! was said.

use hysio_model::transcript::Transcript;

use crate::records::Note;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Subjective,
    Objective,
    Assessment,
    Plan,
}

/// Spoken headings, English and Dutch, at the start of a sentence.
const HEADINGS: &[(&str, Section)] = &[
    ("subjective", Section::Subjective),
    ("history of present illness", Section::Subjective),
    ("chief complaint", Section::Subjective),
    ("subjectief", Section::Subjective),
    ("anamnese", Section::Subjective),
    ("objective", Section::Objective),
    ("physical examination", Section::Objective),
    ("examination", Section::Objective),
    ("objectief", Section::Objective),
    ("lichamelijk onderzoek", Section::Objective),
    ("assessment", Section::Assessment),
    ("impression", Section::Assessment),
    ("diagnosis", Section::Assessment),
    ("evaluatie", Section::Assessment),
    ("conclusie", Section::Assessment),
    ("diagnose", Section::Assessment),
    ("plan", Section::Plan),
    ("beleid", Section::Plan),
];

/// Cues of undirected speech, English and Dutch, anywhere in a sentence.
const CUES: &[(&str, Section)] = &[
    ("on examination", Section::Objective),
    ("blood pressure is", Section::Objective),
    ("heart rate is", Section::Objective),
    ("auscultation", Section::Objective),
    ("palpation", Section::Objective),
    ("range of motion", Section::Objective),
    ("bij onderzoek", Section::Objective),
    ("bloeddruk is", Section::Objective),
    ("palpatie", Section::Objective),
    ("i think this is", Section::Assessment),
    ("consistent with", Section::Assessment),
    ("most likely", Section::Assessment),
    ("suggestive of", Section::Assessment),
    ("past bij", Section::Assessment),
    ("waarschijnlijk", Section::Assessment),
    ("follow up", Section::Plan),
    ("follow-up", Section::Plan),
    ("we will", Section::Plan),
    ("i will prescribe", Section::Plan),
    ("i'm going to prescribe", Section::Plan),
    ("refer you to", Section::Plan),
    ("refer to", Section::Plan),
    ("voorschrijven", Section::Plan),
    ("verwijs", Section::Plan),
    ("controle over", Section::Plan),
];

/// The draft note for a transcript.
#[must_use]
pub fn note(transcript: &Transcript) -> Note {
    let text = transcript.text();
    let sentences = sentences(&text);
    let mut note = Note::default();
    if sentences.iter().any(|sentence| heading(sentence).is_some()) {
        let mut current = Section::Subjective;
        for sentence in sentences {
            match heading(sentence) {
                Some((section, rest)) => {
                    current = section;
                    push(&mut note, section, &capitalised(rest));
                }
                None => push(&mut note, current, sentence),
            }
        }
    } else {
        for sentence in sentences {
            push(
                &mut note,
                cue(sentence).unwrap_or(Section::Subjective),
                sentence,
            );
        }
    }
    note
}

fn push(note: &mut Note, section: Section, sentence: &str) {
    let text = match section {
        Section::Subjective => &mut note.subjective,
        Section::Objective => &mut note.objective,
        Section::Assessment => &mut note.assessment,
        Section::Plan => &mut note.plan,
    };
    if !text.is_empty() && !sentence.is_empty() {
        text.push(' ');
    }
    text.push_str(sentence);
}

/// The section that a sentence opens, and what it says after the heading. A word of running speech ("Plan B failed") is
/// no heading: it takes a mark, "is", or the end of the sentence after it.
fn heading(sentence: &str) -> Option<(Section, &str)> {
    HEADINGS.iter().find_map(|(word, section)| {
        let head = sentence.get(..word.len())?;
        if !head.eq_ignore_ascii_case(word) {
            return None;
        }
        let rest = &sentence[word.len()..];
        let marked = rest.starts_with([':', '.', ',', '-']) || rest.is_empty();
        marked.then(|| (*section, rest.trim_start_matches([':', '.', ',', '-', ' '])))
    })
}

fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn cue(sentence: &str) -> Option<Section> {
    let lower = sentence.to_lowercase();
    CUES.iter()
        .filter_map(|(words, section)| lower.find(words).map(|at| (at, *section)))
        .min_by_key(|(at, _)| *at)
        .map(|(_, section)| section)
}

/// Splits after a full stop, question or exclamation mark that white space follows.
fn sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    let mut marks = text.char_indices().peekable();
    while let Some((at, character)) = marks.next() {
        let ends = matches!(character, '.' | '?' | '!')
            && marks.peek().is_none_or(|(_, next)| next.is_whitespace());
        if ends {
            sentences.push(text[start..=at].trim());
            start = at + 1;
        }
    }
    sentences.push(text[start..].trim());
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;
    use hysio_model::transcript::{Language, Segment};

    fn drafted(text: &str) -> Note {
        let segment = Segment {
            start: 0.0,
            end: 1.0,
            text: text.to_owned(),
            confidence: 1.0,
            words: vec![],
        };
        note(&Transcript {
            language: Language::English,
            duration_seconds: 1.0,
            segments: vec![segment],
            model: String::new(),
        })
    }

    #[test]
    fn spoken_headings_divide_the_note() {
        let note = drafted(
            "Subjective: knee pain. It started Monday. Objective. Swelling. Plan, rest. Ice too.",
        );
        assert_eq!(note.subjective, "Knee pain. It started Monday.");
        assert_eq!(note.objective, "Swelling.");
        assert_eq!(note.plan, "Rest. Ice too.");
        assert_eq!(note.assessment, "");
    }

    #[test]
    fn without_headings_cues_decide_and_the_rest_is_the_story() {
        let note = drafted(
            "My knee hurts. On examination it is swollen. This is most likely a sprain. We will rest it.",
        );
        assert_eq!(note.subjective, "My knee hurts.");
        assert_eq!(note.objective, "On examination it is swollen.");
        assert_eq!(note.assessment, "This is most likely a sprain.");
        assert_eq!(note.plan, "We will rest it.");
    }

    #[test]
    fn a_heading_word_in_running_speech_is_not_a_heading() {
        let note = drafted("Plan B failed. Examination fever is real.");
        assert_eq!(note.subjective, "Plan B failed. Examination fever is real.");
    }

    #[test]
    fn no_word_is_lost_and_rubbish_does_no_harm() {
        for text in [
            "",
            "...",
            "é. plan: ü",
            "beleid",
            "Pla",
            "İstanbul. On examination ok",
        ] {
            let note = drafted(text);
            let all = format!(
                "{} {} {} {}",
                note.subjective, note.objective, note.assessment, note.plan
            );
            for word in text
                .split(|c: char| !c.is_alphanumeric())
                .filter(|word| word.len() > 1)
            {
                assert!(
                    all.to_lowercase().contains(&word.to_lowercase()) || heading(word).is_some(),
                    "{word:?} of {text:?} is missing"
                );
            }
        }
    }
}
