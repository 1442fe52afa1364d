//! PromQL's words, texts, numbers and signs.

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    Word(String),
    Text(String),
    /// A number or a duration, as it stands.
    Number(String),
    Sign(String),
}

/// None for a text that isn't closed.
pub fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '#' => {
                rest = rest
                    .split_once('\n')
                    .map_or("", |(_, after)| after)
                    .trim_start();
                continue;
            }
            '"' | '\'' => {
                let (text, length) = quoted(rest, first)?;
                tokens.push(Token::Text(text));
                length
            }
            c if c.is_alphabetic() || c == '_' || c == ':' => {
                let length = run(rest, |c| c.is_alphanumeric() || c == '_' || c == ':');
                tokens.push(Token::Word(rest[..length].to_owned()));
                length
            }
            c if c.is_ascii_digit() || c == '.' => {
                let length = run(rest, |c| c.is_alphanumeric() || c == '.');
                tokens.push(Token::Number(rest[..length].to_owned()));
                length
            }
            _ => {
                let two = [">=", "<=", "==", "!=", "=~", "!~"];
                let length = if two.iter().any(|sign| rest.starts_with(sign)) {
                    2
                } else {
                    first.len_utf8()
                };
                tokens.push(Token::Sign(rest[..length].to_owned()));
                length
            }
        };
        rest = rest[length..].trim_start();
    }
    Some(tokens)
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((index, c)) = chars.next() {
        match c {
            '\\' => out.push(chars.next()?.1),
            c if c == quote => return Some((out, index + 1)),
            c => out.push(c),
        }
    }
    None
}
