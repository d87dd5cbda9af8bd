//! The product from outside: the binary itself, real containers, real kubectl, a real registry.
//! Needs Linux with namespaces and the Debian packages of `cargo xtask packages`.

mod disk;
mod examples;
mod images;
mod interrupt;
mod invalid;
mod kubectl;
mod process;
mod rootless;
