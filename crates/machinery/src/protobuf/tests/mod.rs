//! The tables against themselves and the served schemas, and the decoder against an encoder over the same tables
//! and against bytes that real clients wrote.

mod bodies;
mod encoder;
mod round_trip;
mod tables;
