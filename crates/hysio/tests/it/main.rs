//! The platform against real servers: PostgreSQL, processes, sockets. One file a subject; the world they share is in
//! `world.rs`.

mod access;
mod audit;
mod encryption;
mod evidence;
mod forecasting;
mod isolation;
mod jobs;
mod killed;
mod learning;
mod openapi;
mod operations;
mod partitions;
mod records;
mod scaling;
mod sign_in;
mod upload;
mod world;
