//! A connection of the pool, which may lead through PgBouncer in transaction mode.
//!
//! There, the next transaction may go over another connection to the server, where a statement prepared by name is not known,
//! or is another one's. So statements are sent with the types of their parameters and no name; the types are asked for once in
//! the life of a process, inside a transaction.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

use deadpool_postgres::Object;
use futures::{StreamExt as _, TryStreamExt as _};
use postgres_types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::{Error, Result};

pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];
type Types = Arc<[Type]>;

/// The parameters of every statement that was sent before. Statements are constants of this program, so they are few.
static KNOWN: LazyLock<RwLock<HashMap<String, Types>>> = LazyLock::new(RwLock::default);

pub struct Connection {
    client: Object,
    pooled: bool,
}

/// A statement that is ready to be sent.
pub(super) enum Ready {
    Named(tokio_postgres::Statement),
    Typed(String, Types),
}

impl Connection {
    pub(super) fn new(client: Object, pooled: bool) -> Self {
        Self { client, pooled }
    }

    /// For what holds on to nothing of the server's beyond its own transaction.
    pub fn direct(&self) -> &Client {
        &self.client
    }

    pub async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>> {
        let ready = self.ready(sql).await?;
        Ok(self.send(&ready, params).await?)
    }

    pub async fn query_opt(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// Exactly one row, as a function call gives.
    pub async fn query_one(&self, sql: &str, params: Params<'_>) -> Result<Row> {
        self.query_opt(sql, params)
            .await?
            .ok_or_else(|| Error::Query("a row was expected and none came".into()))
    }

    /// The number of rows that changed.
    pub async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64> {
        let ready = self.ready(sql).await?;
        Ok(self.send_execute(&ready, params).await?)
    }

    pub async fn batch_execute(&self, sql: &str) -> std::result::Result<(), tokio_postgres::Error> {
        self.client.batch_execute(sql).await
    }

    /// Outside of a transaction.
    async fn ready(&self, sql: &str) -> Result<Ready> {
        if !self.pooled || known(sql).is_some() {
            return Ok(self.prepare(sql).await?);
        }
        self.client.batch_execute("BEGIN").await?;
        let ready = self.prepare(sql).await;
        self.client.batch_execute("ROLLBACK").await?;
        Ok(ready?)
    }

    /// Whether [`Connection::prepare`] asks the server nothing, and so needs no transaction.
    pub(super) fn knows(&self, sql: &str) -> bool {
        !self.pooled || known(sql).is_some()
    }

    /// Through a pooler only inside a transaction, unless it [knows](Connection::knows) the statement.
    pub(super) async fn prepare(
        &self,
        sql: &str,
    ) -> std::result::Result<Ready, tokio_postgres::Error> {
        if !self.pooled {
            return Ok(Ready::Named(self.client.prepare_cached(sql).await?));
        }
        if let Some(types) = known(sql) {
            return Ok(Ready::Typed(sql.to_owned(), types));
        }
        // Closed when dropped, which is still in this transaction.
        let types: Types = self.client.prepare(sql).await?.params().into();
        KNOWN
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(sql.to_owned(), types.clone());
        Ok(Ready::Typed(sql.to_owned(), types))
    }

    pub(super) async fn send(
        &self,
        ready: &Ready,
        params: Params<'_>,
    ) -> std::result::Result<Vec<Row>, tokio_postgres::Error> {
        match ready {
            Ready::Named(statement) => self.client.query(statement, params).await,
            Ready::Typed(sql, types) => {
                let rows = self.client.query_typed_raw(sql, typed(params, types));
                rows.await?.try_collect().await
            }
        }
    }

    pub(super) async fn send_execute(
        &self,
        ready: &Ready,
        params: Params<'_>,
    ) -> std::result::Result<u64, tokio_postgres::Error> {
        match ready {
            Ready::Named(statement) => self.client.execute(statement, params).await,
            Ready::Typed(sql, types) => {
                let rows = self.client.query_typed_raw(sql, typed(params, types));
                let mut rows = pin!(rows.await?);
                while let Some(row) = rows.next().await {
                    row?;
                }
                Ok(rows.rows_affected().unwrap_or(0))
            }
        }
    }

    /// Closes the connection: its state is not known.
    pub(super) fn discard(self) {
        drop(Object::take(self.client));
    }
}

fn known(sql: &str) -> Option<Types> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    known.get(sql).cloned()
}

fn typed<'a>(params: Params<'a>, types: &Types) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    params.iter().copied().zip(types.iter().cloned()).collect()
}
