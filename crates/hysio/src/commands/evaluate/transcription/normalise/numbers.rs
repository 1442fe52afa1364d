//! English number words to digits: "two hundred and five" is 205, "nineteen eighty four" 1984, "three point five" 3.5.

const SMALL: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] = [
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];
const SCALES: [(&str, u64); 3] = [
    ("thousand", 1_000),
    ("million", 1_000_000),
    ("billion", 1_000_000_000),
];
const ORDINALS: [(&str, u64); 20] = [
    ("first", 1),
    ("second", 2),
    ("third", 3),
    ("fourth", 4),
    ("fifth", 5),
    ("sixth", 6),
    ("seventh", 7),
    ("eighth", 8),
    ("ninth", 9),
    ("tenth", 10),
    ("eleventh", 11),
    ("twelfth", 12),
    ("thirteenth", 13),
    ("fourteenth", 14),
    ("fifteenth", 15),
    ("twentieth", 20),
    ("thirtieth", 30),
    ("fortieth", 40),
    ("fiftieth", 50),
    ("sixtieth", 60),
];

pub fn to_digits(words: &[String]) -> Vec<String> {
    let mut out = Vec::with_capacity(words.len());
    let mut at = 0;
    while at < words.len() {
        match phrase(&words[at..]) {
            Some((number, used)) => {
                out.push(number);
                at += used;
            }
            None => {
                out.push(words[at].clone());
                at += 1;
            }
        }
    }
    out
}

/// The number that the words begin with, and how many words it takes.
fn phrase(words: &[String]) -> Option<(String, usize)> {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let (mut number, mut used) = whole(words)?;
    if word(used) == "point"
        && let Some((fraction, more)) = whole(&words[used + 1..])
    {
        number = format!("{number}.{fraction}");
        used += 1 + more;
    } else if [word(used), word(used + 1), word(used + 2)] == ["and", "a", "half"] {
        number.push_str(".5");
        used += 3;
    }
    match word(used) {
        "percent" => Some((number + "%", used + 1)),
        "dollar" | "dollars" => Some((format!("${number}"), used + 1)),
        _ => Some((number, used)),
    }
}

fn whole(words: &[String]) -> Option<(String, usize)> {
    let mut number = Number::default();
    let mut used = 0;
    while let Some(word) = words.get(used) {
        if word == "and" && number.takes_and() && words.get(used + 1).is_some_and(|it| cardinal(it))
        {
            used += 1;
            continue;
        }
        if let Some((_, value)) = ORDINALS.iter().find(|(name, _)| name == word) {
            return number
                .ordinal(*value)
                .map(|text| (text, used + 1))
                .or_else(|| number.text(used));
        }
        if !number.push(word) {
            break;
        }
        used += 1;
    }
    number.text(used)
}

fn cardinal(word: &str) -> bool {
    small(word).is_some() || tens(word).is_some()
}

fn small(word: &str) -> Option<u64> {
    SMALL.iter().position(|it| *it == word).map(|at| at as u64)
}

fn tens(word: &str) -> Option<u64> {
    TENS.iter()
        .position(|it| *it == word)
        .map(|at| 10 * (at as u64 + 2))
}

/// A number being heard, word by word.
#[derive(Default)]
struct Number {
    /// Digits of parts that stand one after the other, as in years and telephone numbers.
    before: String,
    /// Thousands and up.
    high: u64,
    low: Option<u64>,
    last: Last,
}

#[derive(Default, PartialEq)]
enum Last {
    #[default]
    Nothing,
    Digits,
    Unit,
    Ten,
    Hundred,
    Scale,
}

impl Number {
    fn push(&mut self, word: &str) -> bool {
        if let Some(value) = small(word) {
            let joins = match self.last {
                Last::Ten => value < 10 && value > 0,
                Last::Nothing | Last::Hundred | Last::Scale => true,
                Last::Digits => return false,
                Last::Unit => false,
            };
            self.add(value, joins, Last::Unit);
        } else if let Some(value) = tens(word) {
            if self.last == Last::Digits {
                return false;
            }
            let joins = !matches!(self.last, Last::Unit | Last::Ten);
            self.add(value, joins, Last::Ten);
        } else if word == "hundred" && self.low.is_none_or(|low| low < 100) {
            self.low = Some(self.low.unwrap_or(1) * 100);
            self.last = Last::Hundred;
        } else if let Some((_, scale)) = SCALES.iter().find(|(name, _)| *name == word) {
            self.high += self.low.take().unwrap_or(1).saturating_mul(*scale);
            self.last = Last::Scale;
        } else if self.last == Last::Nothing && word.len() <= 9 {
            let Ok(value) = word.parse::<u64>() else {
                return false;
            };
            // A leading zero is not to be lost.
            if word.starts_with('0') {
                return false;
            }
            self.add(value, true, Last::Digits);
        } else {
            return false;
        }
        true
    }

    fn add(&mut self, value: u64, joins: bool, last: Last) {
        if !joins {
            self.before.push_str(&self.value().to_string());
            (self.high, self.low) = (0, None);
        }
        self.low = Some(self.low.unwrap_or(0) + value);
        self.last = last;
    }

    fn takes_and(&self) -> bool {
        matches!(self.last, Last::Hundred | Last::Scale)
    }

    fn value(&self) -> u64 {
        self.high.saturating_add(self.low.unwrap_or(0))
    }

    fn text(&self, used: usize) -> Option<(String, usize)> {
        (self.last != Last::Nothing).then(|| (format!("{}{}", self.before, self.value()), used))
    }

    fn ordinal(&self, value: u64) -> Option<String> {
        let joins = match self.last {
            Last::Nothing | Last::Hundred | Last::Scale => true,
            Last::Ten => value < 10,
            Last::Unit | Last::Digits => false,
        };
        joins.then(|| {
            let value = self.value() + value;
            let suffix = match (value % 10, value % 100) {
                (_, 11..=13) => "th",
                (1, _) => "st",
                (2, _) => "nd",
                (3, _) => "rd",
                _ => "th",
            };
            format!("{}{value}{suffix}", self.before)
        })
    }
}
