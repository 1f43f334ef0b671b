//! The door on a disk that loses power and fails: what `apply` acknowledged is there afterwards.

mod cut;
mod failure;
mod script;
