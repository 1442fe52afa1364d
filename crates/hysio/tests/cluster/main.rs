//! A whole cluster on this machine, with the servers and the files of `deploy/`, while its parts die. What was acknowledged is
//! counted, and looked for afterwards.

mod browser;
mod cluster;
mod dictations;
mod failover;
mod faults;
mod maintenance;
mod restore;
mod scaling;
mod storm;
