//! `advanced.scalingModifiers`.

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::triggers::{Trigger, is_average};
use crate::{
    keda::formula::Formula,
    manifest::{ManifestError, Reader, line},
};

/// One metric made of all triggers.
#[derive(Clone, Debug, PartialEq)]
pub struct Modifiers {
    pub formula: Formula,
    pub target: f64,
    /// Active above this.
    pub activation_target: f64,
    pub is_average: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawModifiers {
    formula: Spanned<String>,
    target: Spanned<String>,
    activation_target: Option<Spanned<String>>,
    metric_type: Option<Spanned<String>>,
}

impl RawModifiers {
    pub fn modifiers(
        &self,
        reader: Reader<'_>,
        triggers: &[Trigger],
    ) -> Result<Modifiers, ManifestError> {
        let formula = Formula::parse(&self.formula.value).map_err(|why| {
            reader.refuse(
                line(&self.formula),
                format!("the formula is not understood: {why}"),
                "combine the triggers' names with + - * / and functions such as max",
            )
        })?;
        let is_trigger =
            |name: &&String| triggers.iter().any(|one| one.name.as_ref() == Some(*name));
        if let Some(unknown) = formula.names().iter().find(|name| !is_trigger(name)) {
            return Err(reader.refuse(
                line(&self.formula),
                format!("the formula names {unknown}, and no trigger is called that"),
                "give the trigger that name",
            ));
        }
        let target = number(&self.target, reader)?;
        if target <= 0.0 {
            return Err(reader.refuse(
                line(&self.target),
                format!("target is {}", self.target.value),
                "use a number above 0",
            ));
        }
        Ok(Modifiers {
            formula,
            target,
            activation_target: match &self.activation_target {
                None => 0.0,
                Some(raw) => number(raw, reader)?,
            },
            is_average: is_average(self.metric_type.as_ref(), reader)?,
        })
    }
}

fn number(raw: &Spanned<String>, reader: Reader<'_>) -> Result<f64, ManifestError> {
    let number = raw.value.trim().parse().ok();
    number
        .filter(|value: &f64| value.is_finite())
        .ok_or_else(|| {
            reader.refuse(
                line(raw),
                format!("{:?} is no number", raw.value),
                "write a number such as \"2\"",
            )
        })
}
