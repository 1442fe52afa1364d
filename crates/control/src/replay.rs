//! Replaying demand against policies, in a world that can be as bad as wanted and is the same each time.

pub mod world;
