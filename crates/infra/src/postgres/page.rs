//! Keyset pagination: a page starts after the last row of the one before, so rows that come in between move nothing.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use uuid::Uuid;

/// Rows a page has at most, whatever was asked for.
pub const LIMIT_MAX: i64 = 200;

/// Where a page ended, newest first: opaque to callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub at: Timestamp,
    pub id: Uuid,
}

const VERSION: u8 = 1;

impl Cursor {
    /// Before everything: the first page, newest first.
    pub const START: Self = Self {
        at: Timestamp::MAX,
        id: Uuid::max(),
    };

    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(self.at.as_microsecond().to_be_bytes());
        bytes.extend(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// None for what [`Cursor::encode`] did not make.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let [VERSION, rest @ ..] = bytes.as_slice() else {
            return None;
        };
        let (at, id) = rest.split_at_checked(8)?;
        let at = Timestamp::from_microsecond(i64::from_be_bytes(at.try_into().ok()?)).ok()?;
        Some(Self {
            at,
            id: Uuid::from_slice(id).ok()?,
        })
    }
}

/// One page and the way to the next.
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<Cursor>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            next: None,
        }
    }
}

impl<T> Page<T> {
    /// From one row more than the page holds: the extra one tells that there is more.
    pub(super) fn of(mut items: Vec<T>, limit: i64, cursor: impl Fn(&T) -> Cursor) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(cursor) } else { None };
        Self { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_round_trips_and_rubbish_is_none() {
        let cursor = Cursor {
            at: Timestamp::from_microsecond(1_700_000_000_123_456).expect("valid"),
            id: Uuid::now_v7(),
        };
        assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        for rubbish in ["", "AQ", "not base64!", &"A".repeat(100)] {
            assert_eq!(Cursor::decode(rubbish), None, "{rubbish:?}");
        }
    }

    #[test]
    fn the_last_page_has_no_next() {
        let cursor = |n: &i64| Cursor {
            at: Timestamp::from_second(*n).expect("small"),
            id: Uuid::nil(),
        };
        assert!(Page::of(vec![3, 2, 1], 3, cursor).next.is_none());
        let first = Page::of(vec![3, 2, 1], 2, cursor);
        assert_eq!(first.items, [3, 2]);
        assert_eq!(first.next, Some(cursor(&2)));
    }
}
