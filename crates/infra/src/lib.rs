//! Adapters, named by technology. The only place that knows PostgreSQL, SMTP, the file system and other servers.

pub mod postgres;

pub mod cipher;
mod secret_file;

pub mod embedded_postgres;

pub mod openai;
