//! Protected health information.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A value about a patient. It cannot be printed: `Debug` says only that something is there, and there is no `Display`,
/// so neither a log nor an error can leak it. It is wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Default, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct Phi<T: Zeroize>(T);

impl<T: Zeroize> Phi<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. For the cipher and for response bodies only.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Phi<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[patient data]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patient_data_is_never_printed() {
        let name = Phi::new("Jansen".to_owned());
        assert_eq!(format!("{name:?}"), "[patient data]");
        assert_eq!(name.expose(), "Jansen");
    }
}
