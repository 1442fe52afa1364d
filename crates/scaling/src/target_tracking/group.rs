//! The Auto Scaling group that a policy is for.

use std::cmp::Ordering;

use crate::policy_file::{Error, File};

use super::load;

/// An Auto Scaling group: bounds, what it starts with, and the times that a policy without its own takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub min_size: i32,
    pub max_size: i32,
    pub desired_capacity: i32,
    pub default_cooldown: i64,
    pub default_instance_warmup: Option<i64>,
}

impl Group {
    /// `text` is the JSON of `create-auto-scaling-group`; what isn't about counts is not looked at.
    ///
    /// # Errors
    /// No such JSON, a minimum over the maximum, a desired capacity outside of both; with file and line.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Error> {
        load::group(File(file_name), text)
    }

    /// The count within the group's sizes, and which of them bounded it.
    pub(super) fn bounded(&self, count: i32) -> (i32, Vec<String>) {
        let bounded = count.clamp(self.min_size, self.max_size);
        let limit = match bounded.cmp(&count) {
            Ordering::Less => Some(format!("at most MaxSize {}", self.max_size)),
            Ordering::Greater => Some(format!("at least MinSize {}", self.min_size)),
            Ordering::Equal => None,
        };
        (bounded, limit.into_iter().collect())
    }
}
