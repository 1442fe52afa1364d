//! A transcript for people and for programs.

use std::{fmt::Write as _, path::Path};

use hysio_model::transcript::{Segment, Transcript, Word};
use hysio_speech::{DOUBTFUL_CONFIDENCE, audio::Warning};
use serde::Serialize;

/// One object on one line.
pub fn json(file: &Path, transcript: &Transcript, warnings: &[Warning]) -> anyhow::Result<String> {
    #[derive(Serialize)]
    struct Line<'a> {
        file: &'a Path,
        text: String,
        #[serde(flatten)]
        transcript: &'a Transcript,
        warnings: Vec<String>,
    }
    let line = Line {
        file,
        text: transcript.text(),
        transcript,
        warnings: warnings.iter().map(ToString::to_string).collect(),
    };
    Ok(serde_json::to_string(&line)? + "\n")
}

/// A heading, then a line a segment.
pub fn text(file: &Path, transcript: &Transcript) -> String {
    let mut text = heading(file, transcript);
    for segment in &transcript.segments {
        let time = console::style(clock(segment.start)).dim();
        let _ = writeln!(text, "{time}  {}", marked(segment));
    }
    if transcript.segments.is_empty() {
        text.push_str("(nobody speaks)\n");
    } else if transcript
        .segments
        .iter()
        .flat_map(|it| &it.words)
        .any(doubtful)
    {
        text.push_str("(?) marks words that were not heard with certainty\n");
    }
    text
}

fn heading(file: &Path, transcript: &Transcript) -> String {
    let name = file.display().to_string();
    let (length, language, model) = (
        clock(transcript.duration_seconds),
        transcript.language,
        &transcript.model,
    );
    format!(
        "{}  {length}  {language}  {model}\n",
        console::style(name).bold()
    )
}

fn marked(segment: &Segment) -> String {
    if segment.words.is_empty() {
        return segment.text.clone();
    }
    let words = segment.words.iter().map(|word| {
        if doubtful(word) {
            console::style(format!("{}(?)", word.text))
                .yellow()
                .to_string()
        } else {
            word.text.clone()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn doubtful(word: &Word) -> bool {
    word.confidence < DOUBTFUL_CONFIDENCE
}

fn clock(seconds: f64) -> String {
    let whole = seconds as u64;
    let (minutes, seconds) = (whole / 60, whole % 60);
    match minutes / 60 {
        0 => format!("{minutes:2}:{seconds:02}"),
        hours => format!("{hours}:{:02}:{seconds:02}", minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use hysio_model::transcript::Language;

    use super::*;

    #[test]
    fn doubtful_words_are_marked_and_explained() {
        let word = |text: &str, confidence| Word {
            text: text.to_owned(),
            confidence,
        };
        let transcript = Transcript {
            language: Language::English,
            duration_seconds: 65.0,
            segments: vec![Segment {
                start: 61.0,
                end: 64.0,
                text: "takes rezupacetan".to_owned(),
                confidence: 0.5,
                words: vec![word("takes", 0.9), word("rezupacetan", 0.2)],
            }],
            model: "whisper-base".to_owned(),
        };
        let text = text(Path::new("visit.mp3"), &transcript);
        assert!(text.contains(" 1:01  takes rezupacetan(?)\n"), "{text}");
        assert!(text.contains("not heard with certainty"));
    }

    #[test]
    fn silence_is_said_to_be_silence() {
        let transcript = Transcript {
            language: Language::English,
            duration_seconds: 5.0,
            segments: Vec::new(),
            model: "whisper-base".to_owned(),
        };
        assert!(text(Path::new("quiet.wav"), &transcript).contains("(nobody speaks)"));
    }
}
