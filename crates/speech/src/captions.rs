//! A transcript as subtitles: SubRip and WebVTT.

use std::fmt::Write as _;

use hysio_model::transcript::{Segment, Transcript};

/// SubRip: numbered cues, decimal comma.
#[must_use]
pub fn srt(transcript: &Transcript) -> String {
    let mut text = String::new();
    for (number, segment) in (1..).zip(&transcript.segments) {
        let _ = write!(text, "{number}\n{}\n\n", cue(segment, ','));
    }
    text
}

/// WebVTT, as browsers show it.
#[must_use]
pub fn vtt(transcript: &Transcript) -> String {
    let mut text = "WEBVTT\n\n".to_owned();
    for segment in &transcript.segments {
        let _ = write!(text, "{}\n\n", cue(segment, '.'));
    }
    text
}

fn cue(segment: &Segment, point: char) -> String {
    let (start, end) = (clock(segment.start, point), clock(segment.end, point));
    // An arrow within the words would read as another cue.
    let words = segment.text.trim().replace("-->", "->");
    format!("{start} --> {end}\n{words}")
}

fn clock(seconds: f64, point: char) -> String {
    let milliseconds = (seconds.max(0.0) * 1000.0).round() as u64;
    let (seconds, milliseconds) = (milliseconds / 1000, milliseconds % 1000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}{point}{milliseconds:03}")
}

#[cfg(test)]
mod tests {
    use hysio_model::transcript::Language;

    use super::*;

    #[test]
    fn cues_carry_their_times_in_each_format() {
        let transcript = Transcript {
            language: Language::English,
            duration_seconds: 4000.0,
            segments: vec![Segment {
                start: 3723.0456,
                end: 3725.0,
                text: " No pain. ".to_owned(),
                confidence: 0.9,
                words: Vec::new(),
            }],
            model: "whisper-base".to_owned(),
        };
        assert_eq!(
            srt(&transcript),
            "1\n01:02:03,046 --> 01:02:05,000\nNo pain.\n\n"
        );
        assert_eq!(
            vtt(&transcript),
            "WEBVTT\n\n01:02:03.046 --> 01:02:05.000\nNo pain.\n\n"
        );
    }
}
