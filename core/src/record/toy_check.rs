//! x
use crate::{choice, record};
choice! { /// a
pub enum Colour { /// r
 Red = 1 "red", /// b
 Blue = 2 "blue", } }
record! {
    /// Toy.
    pub struct Toy = 900, "toy" {
        writers: [R1, R2],
        /// l
        16 label: String, LW t ; indexed searched,
        /// c
        17 colour: Colour, MV t,
        /// s
        18 short: String | max 80, LW t,
        /// f
        19 friends: crate::ids::RecordId, OR t,
    }
}
