//! Looking codes up.

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use hysio_clinical::diagnosecode::{Catalogue, catalogue::Code};
use hysio_model::diagnosis::CodeSystem;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Problem, Service};

/// Rows of a search.
const FOUND_MAX: usize = 100;
const FOUND_DEFAULT: usize = 20;

/// A code with its notes.
#[derive(Serialize, ToSchema)]
pub(super) struct Shown {
    code: String,
    title: String,
    billable: bool,
    chapter: Option<String>,
    /// Its categories, nearest first.
    above: Vec<Row>,
    below: Vec<Row>,
    notes: Vec<ShownNote>,
    seventh_characters: Vec<ShownSeventh>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Row {
    code: String,
    title: String,
    billable: bool,
}

#[derive(Serialize, ToSchema)]
struct ShownNote {
    /// The code that the note stands at: this one or one above it.
    code: String,
    kind: &'static str,
    text: String,
}

#[derive(Serialize, ToSchema)]
struct ShownSeventh {
    character: char,
    meaning: String,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// First characters of a code, or words of its title.
    q: String,
    limit: Option<usize>,
}

/// All that the catalogue says about a code.
#[utoipa::path(
    get,
    path = "/v1/codes/{system}/{code}",
    tag = "diagnosis codes",
    params(("system" = String, Path), ("code" = String, Path)),
    responses(
        (status = 200, body = Shown),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn show(
    State(service): State<Service>,
    Path((system, code)): Path<(String, String)>,
) -> Result<Json<Shown>, Problem> {
    let catalogue = service.engine().catalogue();
    let system: CodeSystem = system.parse().map_err(|_| Problem::unknown_system())?;
    let found = match system {
        CodeSystem::Icd10Cm => catalogue.find(&code).map(|found| shown(catalogue, found)),
        CodeSystem::Dcsph => service.engine().dcsph(&code).map(|found| Shown {
            code: found.code,
            title: found.title,
            billable: found.billable,
            chapter: None,
            above: Vec::new(),
            below: Vec::new(),
            notes: Vec::new(),
            seventh_characters: Vec::new(),
        }),
    };
    found
        .map(Json)
        .ok_or_else(|| Problem::no_code(&super::release(&service, system)))
}

/// Codes that begin with the characters, or whose terms hold words that begin so.
#[utoipa::path(
    get,
    path = "/v1/codes",
    tag = "diagnosis codes",
    params(Search),
    responses(
        (status = 200, body = Vec<Row>),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn search(
    State(service): State<Service>,
    search: Result<Query<Search>, QueryRejection>,
) -> Result<Json<Vec<Row>>, Problem> {
    let Query(search) =
        search.map_err(|_| Problem::invalid("q is missing, or limit is not a number"))?;
    let limit = search.limit.unwrap_or(FOUND_DEFAULT);
    if limit == 0 || limit > FOUND_MAX {
        return Err(Problem::invalid("limit must be 1 to 100"));
    }
    let found = service.engine().search(&search.q, limit);
    Ok(Json(found.into_iter().map(Row::from).collect()))
}

impl From<Code> for Row {
    fn from(code: Code) -> Self {
        Self {
            code: code.code,
            title: code.title,
            billable: code.billable,
        }
    }
}

fn shown(catalogue: &Catalogue, found: Code) -> Shown {
    let entry = catalogue.entry(found.entry);
    let above = catalogue
        .lineage(found.entry)
        .filter(|above| above.code != found.code)
        .map(|above| Row {
            code: above.code.clone(),
            title: above.title.clone(),
            billable: false,
        })
        .collect();
    let notes = catalogue
        .lineage(found.entry)
        .flat_map(|entry| {
            entry.notes.iter().map(|note| ShownNote {
                code: entry.code.clone(),
                kind: note.kind.label(),
                text: note.text.clone(),
            })
        })
        .collect();
    Shown {
        chapter: catalogue
            .chapters
            .get(usize::from(entry.chapter).saturating_sub(1))
            .cloned(),
        above,
        below: catalogue
            .children(found.entry)
            .into_iter()
            .map(|child| Row::from(catalogue.code(child, None)))
            .collect(),
        notes,
        seventh_characters: catalogue
            .seventh_set(found.entry)
            .iter()
            .map(|seventh| ShownSeventh {
                character: seventh.character,
                meaning: seventh.meaning.clone(),
            })
            .collect(),
        code: found.code,
        title: found.title,
        billable: found.billable,
    }
}
