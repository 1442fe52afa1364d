//! Forecast policies as a file states them:
//!
//! ```yaml
//! forecast:
//!   time_zone: Europe/Amsterdam
//!   policies:
//!     - {name: sessions, resource: app_instances, signal: active_sessions, per_instance: 100, lead_seconds: 900, most: 20}
//! ```

use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{Policy, Settings};
use crate::policy_file::{Error, File};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    forecast: Section,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    time_zone: Option<Spanned<String>>,
    policies: Vec<Spanned<Settings>>,
}

impl Policy {
    /// # Errors
    /// An unknown key, resource or zone, or a setting that makes no sense; with file, line and the way out.
    pub fn parse(file_name: &str, text: &str) -> Result<Vec<Self>, Error> {
        let file = File(file_name);
        let document: Document = file.read(text, "write `forecast:` with a list of `policies`")?;
        let zone = zone(file, document.forecast.time_zone)?;
        let policies = document.forecast.policies.into_iter().map(|settings| {
            let (place, settings) = (settings.referenced, settings.value);
            let name = settings.name.clone();
            Self::new(settings, zone.clone()).map_err(|problem| {
                file.refuse(place, "policies", name, &problem, "correct the setting")
            })
        });
        policies.collect()
    }
}

/// From the database of time zones that is built in, so that a decision replays anywhere.
fn zone(file: File<'_>, name: Option<Spanned<String>>) -> Result<TimeZone, Error> {
    let Some(name) = name else {
        return Ok(TimeZone::UTC);
    };
    TimeZoneDatabase::bundled().get(&name.value).map_err(|_| {
        let way_out = "give an IANA name, such as Europe/Amsterdam";
        file.refuse(
            name.referenced,
            "forecast.time_zone",
            &name.value,
            "is no time zone",
            way_out,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "forecast:
  time_zone: Europe/Amsterdam
  policies:
    - name: sessions
      resource: app_instances
      signal: active_sessions
      per_instance: 100
      most: 20
";

    #[test]
    fn a_file_is_read_and_what_is_wrong_in_it_is_placed() {
        let policies = Policy::parse("forecast.yaml", FILE).unwrap();
        assert_eq!(policies[0].name(), "forecast/sessions");
        for (right, wrong, message) in [
            ("Europe/Amsterdam", "Mars/Olympus", "forecast.yaml:2"),
            ("app_instances", "app_instance", "forecast.yaml:"),
            ("per_instance: 100", "per_instance: 0", "forecast.yaml:4"),
            ("most:", "mots:", "forecast.yaml:"),
        ] {
            let error = Policy::parse("forecast.yaml", &FILE.replace(right, wrong)).unwrap_err();
            assert!(error.to_string().starts_with(message), "{error}");
        }
    }
}
