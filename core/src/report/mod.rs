//! Figures: what a window of time held, counted from the views.
//!
//! Every formula is SQL on the rows; nothing is kept, so the same rows and window always give the
//! same figures. Invariant: no figure is about a person. They are for inside the school only:
//! nothing here hides small counts. Must not know: packs, sync, who asks, and the words and
//! layout of a printed report.

pub mod figures;
mod steps;
pub mod window;

pub use figures::{Cut, CutKey, Figures, Share, Spread, figures, figures_by};
pub use window::Window;
