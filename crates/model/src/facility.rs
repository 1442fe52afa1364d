//! A hospital, practice or clinic: the tenant that owns patients, users and keys.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::FacilityId;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Facility {
    pub id: FacilityId,
    pub name: String,
}
