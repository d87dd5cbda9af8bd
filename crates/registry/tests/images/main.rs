//! Images end to end: archives, a real registry on loopback, and what hostile or broken ones may not do.

mod common;
mod import;
mod pull;
