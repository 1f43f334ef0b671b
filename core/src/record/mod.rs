//! Records: how a type is declared, how items fold into a state, how concurrent items merge.
//!
//! Invariant: the state of a record is a function of the set of its items, whatever order they
//! came in; `fold = document` is a property test. Must not know: the database, any one record
//! type, who wrote.

pub mod bounds;
mod change;
pub mod declare;
pub mod document;
pub mod graph;
pub mod guard;
pub mod plain;
mod reading;
pub mod state;
