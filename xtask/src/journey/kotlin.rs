//! The journey in Kotlin on the JVM: the wrapper, what was generated, and its tests, built by Maven.

use super::Kit;
use crate::Outcome;
use crate::cargo::{read, run as call};
use crate::maven::Maven;

/// Runs it.
pub(crate) fn run(kit: &Kit) -> Outcome {
    let maven = Maven::find()?;
    let mut command = maven.on(&kit.root.join("bindings/kotlin"), &kit.build);
    call(kit.equip(command.arg("test")))
}

/// Tells what crossing costs.
pub(super) fn cost(kit: &Kit) -> Result<Vec<u8>, String> {
    let maven = Maven::find()?;
    let mut command = maven.on(&kit.root.join("bindings/kotlin"), &kit.build);
    command.args(["-Dtest=CostTest", "test"]).env("TUQUAN_COST", "1");
    kit.equip(&mut command).env_remove("TUQUAN_HUB");
    read(&mut command)
}
