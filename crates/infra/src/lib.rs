//! Adapters, named by technology, and the cryptography that they store and send with.

pub mod cipher;
mod secret_file;
