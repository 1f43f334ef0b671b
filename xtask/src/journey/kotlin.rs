//! The journey in Kotlin on the JVM: the wrapper, what was generated, and its tests, built by Maven.

use super::Kit;
use crate::Outcome;
use crate::cargo::run as call;
use crate::maven::Maven;

/// Runs it.
pub(crate) fn run(kit: &Kit) -> Outcome {
    let maven = Maven::find()?;
    let mut command = maven.on(&kit.root.join("bindings/kotlin"), &kit.build);
    call(kit.equip(command.arg("test")))
}
