//! Codes that are given to one sex or at some ages only, as Medicare's code editor (MCE) lists them.
//!
//! The lists are `data/code_edits.tsv`. CMS took the sexes out of its editor in October 2024: they are advice, and so is
//! everything here. A suggestion that does not suit the patient is marked and thought much less likely, never hidden, as the
//! registered sex or birth date may be what is wrong.

use std::{fmt, str::FromStr, sync::LazyLock};

use hysio_model::diagnosis::{Caution, CautionKind};
use serde::Serialize;
use utoipa::ToSchema;

/// Chapters of pregnancy and of conditions that originate around birth.
const PREGNANCY: u8 = 15;
const PERINATAL: u8 = 16;

static LISTS: LazyLock<Vec<(Edit, &'static str)>> = LazyLock::new(|| {
    include_str!("../../data/code_edits.tsv")
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(name, prefix)| Some((Edit::named(name)?, prefix)))
        .collect()
});

/// Who a code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Edit {
    Male,
    Female,
    Newborn,
    Pediatric,
    Maternity,
    Adult,
}

/// Where an edit comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// A list of the Medicare Code Editor.
    Official,
    /// Drawn from the chapter and the title.
    Derived,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sex {
    Female,
    Male,
}

/// What is known of the patient that a text is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Patient {
    /// Completed years.
    pub age_years: Option<u16>,
    pub sex: Option<Sex>,
}

impl Edit {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "male" => Self::Male,
            "female" => Self::Female,
            "newborn" => Self::Newborn,
            "pediatric" => Self::Pediatric,
            "maternity" => Self::Maternity,
            "adult" => Self::Adult,
            _ => return None,
        })
    }

    /// First and last year of age; none for a sex.
    fn ages(self) -> Option<(u16, u16)> {
        match self {
            Self::Male | Self::Female => None,
            Self::Newborn => Some((0, 0)),
            Self::Pediatric => Some((0, 17)),
            Self::Maternity => Some((9, 64)),
            Self::Adult => Some((15, 124)),
        }
    }

    fn sex(self) -> Option<Sex> {
        match self {
            Self::Male => Some(Sex::Male),
            Self::Female => Some(Sex::Female),
            Self::Newborn | Self::Pediatric | Self::Maternity | Self::Adult => None,
        }
    }

    /// Why the code does not suit the patient, if it does not.
    fn against(self, patient: &Patient, basis: Basis) -> Option<Caution> {
        let source = match basis {
            Basis::Official => "Medicare Code Editor",
            Basis::Derived => "drawn from its chapter",
        };
        let (kind, words) = match (self.ages(), self.sex()) {
            (Some((first, last)), _) => {
                let age = patient
                    .age_years
                    .filter(|age| !(first..=last).contains(age))?;
                (CautionKind::Age, format!("{self}; the patient is {age}"))
            }
            (None, Some(sex)) => {
                let other = patient.sex.filter(|known| *known != sex)?;
                (CautionKind::Sex, format!("{self}; the patient is {other}"))
            }
            (None, None) => return None,
        };
        Some(Caution {
            kind,
            reason: format!("{words} ({source})"),
            code: None,
        })
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Male => "for male patients",
            Self::Female => "for female patients",
            Self::Newborn => "for newborns, in their first year",
            Self::Pediatric => "for patients of 0 to 17 years",
            Self::Maternity => "for patients of 9 to 64 years",
            Self::Adult => "for patients of 15 years and older",
        })
    }
}

impl fmt::Display for Sex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Female => "female",
            Self::Male => "male",
        })
    }
}

impl FromStr for Sex {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_lowercase().as_str() {
            "f" | "female" | "v" | "vrouw" => Ok(Self::Female),
            "m" | "male" | "man" => Ok(Self::Male),
            _ => Err(format!("sex {text:?} is not known: use female or male")),
        }
    }
}

/// The edits of a code (with its dot), and where each comes from.
#[must_use]
pub fn of(code: &str, chapter: u8, title: &str) -> Vec<(Edit, Basis)> {
    let mut found: Vec<(Edit, Basis)> = LISTS
        .iter()
        .filter(|(_, prefix)| code.starts_with(prefix))
        .map(|(edit, _)| (*edit, Basis::Official))
        .collect();
    let title = title.to_lowercase();
    let is_newborn = title.contains("newborn") || title.contains("neonatal");
    for (holds, edit) in [
        (chapter == PREGNANCY, Edit::Female),
        (chapter == PREGNANCY, Edit::Maternity),
        (chapter == PERINATAL && is_newborn, Edit::Newborn),
    ] {
        if holds && found.iter().all(|(known, _)| *known != edit) {
            found.push((edit, Basis::Derived));
        }
    }
    found.sort_unstable_by_key(|(edit, _)| *edit);
    found
}

/// Why a code does not suit the patient.
#[must_use]
pub fn cautions(code: &str, chapter: u8, title: &str, patient: &Patient) -> Vec<Caution> {
    if *patient == Patient::default() {
        return Vec::new();
    }
    of(code, chapter, title)
        .into_iter()
        .filter_map(|(edit, basis)| edit.against(patient, basis))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(code: &str, chapter: u8, title: &str, age: u16, sex: Sex) -> Vec<CautionKind> {
        let patient = Patient {
            age_years: Some(age),
            sex: Some(sex),
        };
        cautions(code, chapter, title, &patient)
            .into_iter()
            .map(|caution| caution.kind)
            .collect()
    }

    #[test]
    fn a_code_that_suits_the_patient_has_no_caution() {
        assert_eq!(
            kinds("C61", 2, "Malignant neoplasm of prostate", 70, Sex::Male),
            []
        );
        assert_eq!(kinds("O80", 15, "Full-term delivery", 30, Sex::Female), []);
        assert_eq!(kinds("I10", 9, "Essential hypertension", 0, Sex::Male), []);
    }

    #[test]
    fn sex_and_age_are_told_apart_and_each_is_named() {
        use CautionKind::{Age, Sex as OfSex};
        assert_eq!(
            kinds("C61", 2, "Malignant neoplasm of prostate", 70, Sex::Female),
            [OfSex]
        );
        assert_eq!(
            kinds("N40.1", 14, "Benign prostatic hyperplasia", 10, Sex::Female),
            [OfSex, Age]
        );
        assert_eq!(
            kinds("O80", 15, "Full-term delivery", 70, Sex::Male),
            [OfSex, Age]
        );
        assert_eq!(
            kinds("Z38.00", 21, "Single liveborn infant", 40, Sex::Male),
            [Age]
        );
        assert_eq!(
            kinds("P59.9", 16, "Neonatal jaundice, unspecified", 60, Sex::Male),
            [Age]
        );
    }

    #[test]
    fn nothing_is_said_of_a_patient_who_is_not_known() {
        assert!(
            cautions(
                "C61",
                2,
                "Malignant neoplasm of prostate",
                &Patient::default()
            )
            .is_empty()
        );
    }

    #[test]
    fn a_young_code_of_a_chapter_is_derived_and_says_so() {
        let found = of("O99.99", 15, "Other");
        assert!(found.iter().any(|(edit, _)| *edit == Edit::Maternity));
        assert_eq!(
            of("O90.41", 15, "Hepatorenal syndrome"),
            [
                (Edit::Female, Basis::Derived),
                (Edit::Maternity, Basis::Official)
            ]
        );
    }
}
