//! Two languages in one team: a host in Python lets a guest in C in through the hub, each writes, and
//! both end with the same.
//!
//! Must not know: how either does it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use super::{Kit, c, python};
use crate::Outcome;
use crate::cargo::read;

/// Runs both.
pub(super) fn run(host_kit: &Kit, guest_kit: &Kit) -> Outcome {
    let guest = c::guest(guest_kit)?;
    let mut command = python::host(host_kit)?;
    let mut host = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("the host cannot be started: {error}"))?;
    let mut said = BufReader::new(host.stdout.take().ok_or("the host says nothing")?);
    let mut line = String::new();
    said.read_line(&mut line).map_err(|error| error.to_string())?;
    let code = line.trim().strip_prefix("code ").unwrap_or_default().to_owned();
    let guest_said = read(guest_kit.equip(&mut Command::new(guest)).arg(&code));
    let mut host_said = String::new();
    said.read_to_string(&mut host_said).map_err(|error| error.to_string())?;
    let status = host.wait().map_err(|error| error.to_string())?;
    let guest_said = String::from_utf8_lossy(&guest_said?).into_owned();
    let of = |said: &str, name: &str| {
        let found = said.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap_or_default().trim().trim_matches('"').to_owned()
    };
    let same = |name| {
        let (one, other) = (of(&host_said, name), of(&guest_said, name));
        one == other && !one.is_empty()
    };
    let crossed =
        host_said.contains("note Viết bằng C") && guest_said.contains("note Viết bằng Python");
    if status.success() && same("digits") && same("hash") && crossed {
        return Ok(());
    }
    Err(format!("the host said\n{host_said}the guest said\n{guest_said}"))
}
