//! The users of a facility, for its administrator.

use axum::{extract::State, http::StatusCode};
use hysio_infra::postgres::{
    self,
    accounts::NewUser,
    sessions,
    users::{self as store, Change, User},
};
use hysio_model::{
    Phi, Role, Specialty,
    id::{FacilityId, UserId},
    transcript::Language,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    app::App,
    extract::{Json, Path},
    problem::{Problem, Result},
    signed_in::FacilityAdmin,
};

#[derive(Serialize, ToSchema)]
pub struct Users {
    users: Vec<UserView>,
}

#[derive(Serialize, ToSchema)]
pub struct UserView {
    id: UserId,
    email: String,
    name: String,
    role: String,
    specialty: Option<String>,
    language: String,
    disabled: bool,
    #[schema(value_type = Option<String>, format = "date-time")]
    locked_until: Option<Timestamp>,
    #[schema(value_type = String, format = "date-time")]
    created_at: Timestamp,
}

#[derive(Deserialize, ToSchema)]
pub struct AddUser {
    email: String,
    name: String,
    #[schema(value_type = String, format = Password)]
    password: Phi<String>,
    /// clinician or facility_admin.
    role: Role,
    specialty: Option<Specialty>,
    language: Option<Language>,
}

#[derive(Deserialize, ToSchema)]
pub struct ChangeUser {
    disabled: Option<bool>,
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Phi<String>>,
    unlock: Option<bool>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        let User {
            id,
            email,
            name,
            role,
            specialty,
            language,
            disabled,
            locked_until,
            created_at,
        } = user;
        Self {
            id,
            email,
            name,
            role,
            specialty,
            language,
            disabled,
            locked_until,
            created_at,
        }
    }
}

/// The users of the own facility.
#[utoipa::path(get, path = "/api/users", responses((status = 200, body = Users)))]
pub async fn list(State(app): State<App>, admin: FacilityAdmin) -> Result<Json<Users>> {
    let tx = app.db.tx(own(&admin)?).await?;
    Ok(Json(Users {
        users: store::list(&tx)
            .await?
            .into_iter()
            .map(UserView::from)
            .collect(),
    }))
}

/// Add a user to the own facility.
#[utoipa::path(post, path = "/api/users", request_body = AddUser, responses((status = 201, body = UserView), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn create(
    State(app): State<App>,
    admin: FacilityAdmin,
    Json(add): Json<AddUser>,
) -> Result<(StatusCode, Json<UserView>)> {
    let facility = own(&admin)?;
    if ![Role::Clinician, Role::FacilityAdmin].contains(&add.role) {
        return Err(Problem::invalid("a facility has clinicians and administrators: operators and auditors are added by `hysio user add`").with("field", "role".into()));
    }
    let email = add.email.trim().to_owned();
    if !(3..=254).contains(&email.len())
        || !email.contains('@')
        || email.chars().any(char::is_control)
    {
        return Err(
            Problem::invalid("email: must be an e-mail address").with("field", "email".into())
        );
    }
    let name = add.name.trim().to_owned();
    if name.is_empty() || name.len() > 200 || name.chars().any(char::is_control) {
        return Err(
            Problem::invalid("name: must have 1 to 200 characters").with("field", "name".into())
        );
    }
    let new = NewUser {
        facility: Some(facility),
        email,
        name,
        password_hash: app.hash_password(add.password).await?,
        role: add.role,
        specialty: add.specialty,
        language: add.language.unwrap_or(Language::English),
    };
    let tx = app.db.tx(facility).await?;
    let id = store::insert(&tx, &new)
        .await
        .map_err(|error| match error {
            postgres::Error::Constraint { constraint } if constraint == store::EMAIL_CONSTRAINT => {
                Problem::conflict("email-taken", "somebody signs in with this address already")
            }
            other => other.into(),
        })?;
    let user = store::get(&tx, id)
        .await?
        .ok_or_else(|| Problem::not_found("user"))?;
    tx.commit(&[admin.0.audit(
        "user.create",
        ("user", id.to_string()),
        json!({ "role": add.role }),
    )])
    .await?;
    Ok((StatusCode::CREATED, Json(user.into())))
}

/// Disable or enable a user, unlock them, or set a new password. Their sessions end with a new password or a disabling.
#[utoipa::path(patch, path = "/api/users/{id}", params(("id" = UserId, Path)), request_body = ChangeUser, responses((status = 200, body = UserView), (status = 404, body = Problem)))]
pub async fn update(
    State(app): State<App>,
    admin: FacilityAdmin,
    Path(id): Path<UserId>,
    Json(request): Json<ChangeUser>,
) -> Result<Json<UserView>> {
    let password_hash = match request.password {
        Some(password) => Some(app.hash_password(password).await?),
        None => None,
    };
    let ends_sessions = password_hash.is_some() || request.disabled == Some(true);
    let details = json!({ "disabled": request.disabled, "password": password_hash.is_some(), "unlock": request.unlock });
    let change = Change {
        disabled: request.disabled,
        password_hash,
        unlock: request.unlock.unwrap_or(false),
    };
    let tx = app.db.tx(own(&admin)?).await?;
    if !store::update(&tx, id, &change).await? {
        return Err(Problem::not_found("user"));
    }
    if ends_sessions {
        sessions::close_all(&tx, id).await?;
    }
    let user = store::get(&tx, id)
        .await?
        .ok_or_else(|| Problem::not_found("user"))?;
    tx.commit(&[admin
        .0
        .audit("user.change", ("user", id.to_string()), details)])
        .await?;
    Ok(Json(user.into()))
}

fn own(admin: &FacilityAdmin) -> Result<FacilityId> {
    admin
        .0
        .session
        .facility
        .ok_or_else(|| Problem::forbidden("facility_admin"))
}
