//! The words of a mail.

use hysio_model::transcript::Language;
use lettre::message::header::{Header, HeaderName, HeaderValue};

pub struct Content {
    pub subject: &'static str,
    pub text: String,
    pub html: String,
}

struct Words {
    subject: &'static str,
    language: &'static str,
    ready: &'static str,
    open: &'static str,
    sign_in: &'static str,
    footer: &'static str,
}

static ENGLISH: Words = Words {
    subject: "Your transcript is ready",
    language: "en",
    ready: "A transcript that you asked for is ready in Hysio.",
    open: "Open the transcript",
    sign_in: "You may be asked to sign in first.",
    footer: "This message holds no patient data. It was sent automatically; nobody reads replies.",
};

static DUTCH: Words = Words {
    subject: "Uw transcript staat klaar",
    language: "nl",
    ready: "Een transcript waar u om vroeg staat klaar in Hysio.",
    open: "Open het transcript",
    sign_in: "Mogelijk moet u eerst inloggen.",
    footer: "Dit bericht bevat geen medische gegevens. Het is automatisch verstuurd; antwoorden worden niet gelezen.",
};

/// `link` is a URL that was parsed, so it holds no character that HTML would have to escape but `&`.
pub fn content(language: Language, link: &str) -> Content {
    let words = match language {
        Language::English => &ENGLISH,
        Language::Dutch => &DUTCH,
    };
    Content {
        subject: words.subject,
        text: text(words, link),
        html: html(words, &link.replace('&', "&amp;").replace('\'', "&#39;")),
    }
}

fn text(words: &Words, link: &str) -> String {
    format!(
        "{}\r\n\r\n{}:\r\n{link}\r\n\r\n{}\r\n\r\n-- \r\n{}\r\n",
        words.ready, words.open, words.sign_in, words.footer
    )
}

fn html(words: &Words, link: &str) -> String {
    let Words {
        subject,
        language,
        ready,
        open,
        sign_in,
        footer,
    } = words;
    format!(
        "<!DOCTYPE html>\r\n\
         <html lang=\"{language}\"><head><meta charset=\"utf-8\"><title>{subject}</title></head>\r\n\
         <body style=\"font:16px/1.5 sans-serif;color:#1b2129;max-width:34em;margin:2em auto;padding:0 1em\">\r\n\
         <p>{ready}</p>\r\n\
         <p><a href=\"{link}\" style=\"color:#0b5868\">{open}</a></p>\r\n\
         <p>{sign_in}</p>\r\n\
         <p style=\"color:#5b6673;font-size:13px\">{footer}</p>\r\n\
         </body></html>\r\n"
    )
}

/// Keeps out-of-office answers away (RFC 3834).
#[derive(Clone)]
pub struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
