//! Finding rows by values that are stored encrypted: keyed tokens that say whether two values are equal and nothing else.
//!
//! One root key, made once and stored wrapped, gives a key per facility by HKDF-SHA256. It does not change with the
//! data keys, or every token would have to be made anew.
//!
//! What a token gives away to someone with the database but not the keys: which rows of one facility share a value or
//! the beginning of a name word. `docs/adr/0005-encryption.md` weighs that.

use aws_lc_rs::{hkdf, hmac};
use hysio_model::id::FacilityId;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::{
    aead::{Secret, bind},
    master::{KeyError, KeyPurpose, MasterKeys, PLATFORM, WrappedKey},
};

const INDEX_LABEL: &[u8] = b"hysio blind index 1";
const EXACT: &[u8] = b"exact";
const PREFIX: &[u8] = b"prefix";

/// Length of a prefix token: 128 bits of the HMAC.
pub const PREFIX_TOKEN_BYTES: usize = 16;
/// Longer beginnings are cut to this; they rarely tell more names apart.
const LONGEST_PREFIX: usize = 12;
/// Shorter beginnings match so many names that their tokens would mostly give away initials.
const SHORTEST_PREFIX: usize = 2;
const MAX_WORDS: usize = 16;

/// The key from which each facility's index key is derived. There is one in an installation, and it never changes.
#[derive(Debug)]
pub struct IndexRoot(Secret);

impl IndexRoot {
    #[must_use]
    pub fn generate() -> Self {
        Self(Secret::generate())
    }

    #[must_use]
    pub fn wrap(&self, master: &MasterKeys) -> WrappedKey {
        master.wrap(KeyPurpose::Index, PLATFORM, 1, &self.0)
    }

    /// # Errors
    /// [`KeyError::WrongMasterKey`] or [`KeyError::Tampered`].
    pub fn unwrap(master: &MasterKeys, wrapped: &WrappedKey) -> Result<Self, KeyError> {
        master.unwrap(KeyPurpose::Index, wrapped).map(Self)
    }

    #[must_use]
    pub fn for_facility(&self, facility: FacilityId) -> BlindIndex {
        let info = [INDEX_LABEL, &facility.0.to_be_bytes()];
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&self.0.0);
        let key = root
            .expand(&info, hmac::HMAC_SHA256)
            .expect("32 bytes are within HKDF's limit");
        BlindIndex(hmac::Key::from(key))
    }
}

/// One facility's index key.
pub struct BlindIndex(hmac::Key);

impl BlindIndex {
    /// The token of a whole value, such as a medical record number. `field` keeps equal values of different fields
    /// apart. The value is taken as it is: trim and normalise it first where spelling varies.
    #[must_use]
    pub fn exact(&self, field: &str, value: &str) -> [u8; 32] {
        let tag = self.tag(EXACT, field, value);
        tag.as_ref().try_into().expect("SHA-256 gives 32 bytes")
    }

    /// The tokens to store with a name: one for each beginning of each of its words, sorted and without repeats.
    #[must_use]
    pub fn prefixes(&self, field: &str, name: &str) -> Vec<[u8; PREFIX_TOKEN_BYTES]> {
        let mut tokens: Vec<_> = words(name)
            .iter()
            .flat_map(|word| beginnings(word))
            .map(|beginning| self.prefix_token(field, beginning))
            .collect();
        tokens.sort_unstable();
        tokens.dedup();
        tokens
    }

    /// The tokens that a stored name must all have to match what was typed: one for each word, but for words too short
    /// to have a token when there are longer ones. Empty when nothing was typed that can be searched for.
    #[must_use]
    pub fn query(&self, field: &str, typed: &str) -> Vec<[u8; PREFIX_TOKEN_BYTES]> {
        let mut words = words(typed);
        if words.iter().any(|word| is_long_enough(word)) {
            words.retain(|word| is_long_enough(word));
        }
        words
            .iter()
            .filter_map(|word| beginnings(word).last())
            .map(|beginning| self.prefix_token(field, beginning))
            .collect()
    }

    fn prefix_token(&self, field: &str, beginning: &str) -> [u8; PREFIX_TOKEN_BYTES] {
        let tag = self.tag(PREFIX, field, beginning);
        *tag.as_ref().first_chunk().expect("SHA-256 gives 32 bytes")
    }

    fn tag(&self, kind: &[u8], field: &str, value: &str) -> hmac::Tag {
        hmac::sign(&self.0, &bind(&[kind, field.as_bytes(), value.as_bytes()]))
    }
}

impl std::fmt::Debug for BlindIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[index key]")
    }
}

fn is_long_enough(word: &str) -> bool {
    word.chars().nth(SHORTEST_PREFIX - 1).is_some()
}

/// From the shortest beginning to the longest; a word that is shorter than the shortest is its own.
fn beginnings(word: &str) -> impl Iterator<Item = &str> {
    let ends: Vec<usize> = word
        .char_indices()
        .map(|(at, letter)| at + letter.len_utf8())
        .take(LONGEST_PREFIX)
        .collect();
    let first = SHORTEST_PREFIX.min(ends.len());
    ends.into_iter()
        .skip(first.saturating_sub(1))
        .map(move |end| &word[..end])
}

/// The words of a name, in lower case and without accents. Apostrophes join ("O'Brien"), all else separates.
fn words(name: &str) -> Vec<String> {
    let folded: String = name
        .nfkd()
        .filter(|letter| !is_combining_mark(*letter) && !matches!(letter, '\'' | '’' | 'ʼ'))
        .flat_map(char::to_lowercase)
        .flat_map(|letter| {
            spelled_out(letter)
                .chars()
                .chain(plain(letter))
                .collect::<Vec<_>>()
        })
        .collect();
    folded
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(MAX_WORDS)
        .map(str::to_owned)
        .collect()
}

/// Letters whose mark Unicode does not decompose, as people type them who lack the key.
fn spelled_out(letter: char) -> &'static str {
    match letter {
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'ı' => "i",
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        _ => "",
    }
}

fn plain(letter: char) -> Option<char> {
    spelled_out(letter).is_empty().then_some(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> BlindIndex {
        IndexRoot::generate().for_facility(FacilityId(1))
    }

    fn finds(index: &BlindIndex, typed: &str, name: &str) -> bool {
        let stored = index.prefixes("name", name);
        let query = index.query("name", typed);
        !query.is_empty() && query.iter().all(|token| stored.contains(token))
    }

    #[test]
    fn a_name_is_found_by_the_beginnings_of_its_words_in_any_order() {
        let index = index();
        for typed in ["ja", "JANSEN", "jansen ma", "Ma Jan", "mária", "van d"] {
            assert!(finds(&index, typed, "María van der Jansen"), "{typed}");
        }
        for typed in ["", "  ", "-", "an", "jansens", "marie", "ja pe"] {
            assert!(!finds(&index, typed, "María van der Jansen"), "{typed}");
        }
    }

    #[test]
    fn spelling_without_accents_finds_the_name() {
        let index = index();
        for (typed, name) in [
            ("obrien", "O’Brien"),
            ("o'brien", "OBrien"),
            ("t hart", "'t Hart"),
            ("muller", "MÜLLER"),
            ("strasse", "Straße"),
            ("soren", "Søren"),
            ("ijsbrand", "Ĳsbrand"),
            ("jansen de", "Jansen-de Vries"),
            ("wolfeschlegelstein", "Wolfeschlegelsteinhausen"),
            ("山田", "山田 太郎"),
        ] {
            assert!(finds(&index, typed, name), "{typed} for {name}");
        }
    }

    #[test]
    fn one_letter_finds_only_a_word_of_one_letter() {
        let index = index();
        assert!(!finds(&index, "j", "Jansen"));
        assert!(finds(&index, "x", "Malcolm X"));
    }

    #[test]
    fn a_token_is_of_one_field_and_one_facility() {
        let root = IndexRoot::generate();
        let here = root.for_facility(FacilityId(1));
        let there = root.for_facility(FacilityId(2));
        assert_eq!(
            here.exact("mrn", "123"),
            root.for_facility(FacilityId(1)).exact("mrn", "123")
        );
        assert_ne!(here.exact("mrn", "123"), there.exact("mrn", "123"));
        assert_ne!(here.exact("mrn", "123"), here.exact("phone", "123"));
        assert_ne!(here.exact("mrn", "123"), here.exact("mrn", "1234"));
    }

    #[test]
    fn a_long_name_makes_a_bounded_number_of_tokens() {
        let name = "abcdefghijklmnopqrstuvwxyz ".repeat(1000);
        assert!(index().prefixes("name", &name).len() <= MAX_WORDS * LONGEST_PREFIX);
    }

    #[test]
    fn the_root_survives_being_stored() {
        let folder = tempfile::tempdir().unwrap();
        let master = MasterKeys::generate_file(&folder.path().join("k")).unwrap();
        let root = IndexRoot::generate();
        let again = IndexRoot::unwrap(&master, &root.wrap(&master)).unwrap();
        assert_eq!(
            root.for_facility(FacilityId(1)).exact("mrn", "1"),
            again.for_facility(FacilityId(1)).exact("mrn", "1")
        );
    }
}
