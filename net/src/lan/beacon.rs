//! The beacon: how phones of one team find each other on a network without telling others who or
//! what they are.
//!
//! A phone announces a service under a name that changes every quarter of an hour: a keyed hash
//! that only those with the team's key can make. Somebody who listens sees that tuquan runs, and
//! cannot tell teams or phones apart from one quarter to the next; the host name is as random.
//! (mDNS and DNS-SD: RFC 6762, RFC 6763.) Must not know: what is exchanged then.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use mdns_sd::{ServiceDaemon, ServiceEvent, ServiceInfo};
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::ids::to_hex;
use tuquan_core::sync::line::beacon_name;

const SERVICE: &str = "_tuquan._tcp.local.";

/// Announces a listening port until it is dropped, or until [`Beacon::renew`] gives it a new name.
pub struct Beacon {
    daemon: ServiceDaemon,
    port: u16,
    name: String,
    loopback: bool,
}

impl std::fmt::Debug for Beacon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Beacon on port {}", self.port)
    }
}

impl Beacon {
    /// Announces `port` to phones that hold `key`; with `loopback` on this machine only, for tests.
    ///
    /// # Errors
    /// `E-IO` when the network does not allow it.
    pub fn start(key: &[u8; 32], port: u16, now_ms: i64, loopback: bool) -> Result<Self> {
        let daemon = daemon(loopback)?;
        let mut beacon = Self { daemon, port, name: String::new(), loopback };
        beacon.renew(key, now_ms)?;
        Ok(beacon)
    }

    /// Announces under the name of this quarter of an hour, if it is another one.
    ///
    /// # Errors
    /// `E-IO`.
    pub fn renew(&mut self, key: &[u8; 32], now_ms: i64) -> Result<()> {
        let name = beacon_name(key, now_ms);
        if self.name.starts_with(&name) {
            return Ok(());
        }
        if !self.name.is_empty() {
            let _ = self.daemon.unregister(&format!("{}.{SERVICE}", self.name));
        }
        // Phones of one team share the name, so each adds something that nobody can foresee.
        let mut salt = [0; 6];
        getrandom::fill(&mut salt).map_err(|_| blocked())?;
        let own = format!("{name}-{}", to_hex(&salt));
        let host = format!("{}.local.", to_hex(&salt));
        let properties: &[(&str, &str)] = &[];
        let address = if self.loopback { "127.0.0.1" } else { "" };
        let info = ServiceInfo::new(SERVICE, &own, &host, address, self.port, properties);
        let info = info.map_err(|_| blocked())?;
        let info = if self.loopback { info } else { info.enable_addr_auto() };
        self.daemon.register(info).map_err(|_| blocked())?;
        self.name = own;
        Ok(())
    }
}

impl Drop for Beacon {
    fn drop(&mut self) {
        let _ = self.daemon.shutdown();
    }
}

/// Looks for phones of the team for so long; returns where they listen.
///
/// # Errors
/// `E-IO` when the network does not allow it.
pub fn find(
    key: &[u8; 32],
    now_ms: i64,
    wait: Duration,
    loopback: bool,
) -> Result<Vec<SocketAddr>> {
    let daemon = daemon(loopback)?;
    let found = daemon.browse(SERVICE).map_err(|_| blocked())?;
    // A clock may be off by a little, and a quarter may end meanwhile.
    let quarter = 15 * 60 * 1_000;
    let names = [now_ms - quarter, now_ms, now_ms + quarter].map(|at| beacon_name(key, at));
    let deadline = std::time::Instant::now() + wait;
    let mut addresses = HashSet::new();
    while let Ok(event) = found.recv_deadline(deadline) {
        let ServiceEvent::ServiceResolved(service) = event else { continue };
        let own = service.get_fullname();
        if names.iter().any(|name| own.starts_with(name.as_str())) {
            let port = service.get_port();
            let ips = service.get_addresses().iter().map(mdns_sd::ScopedIp::to_ip_addr);
            addresses.extend(ips.map(|ip| SocketAddr::new(ip, port)));
        }
    }
    let _ = daemon.shutdown();
    Ok(addresses.into_iter().collect())
}

fn daemon(loopback: bool) -> Result<ServiceDaemon> {
    let daemon = ServiceDaemon::new().map_err(|_| blocked())?;
    if loopback {
        daemon.disable_interface(mdns_sd::IfKind::All).map_err(|_| blocked())?;
        daemon.enable_interface(mdns_sd::IfKind::LoopbackV4).map_err(|_| blocked())?;
    }
    Ok(daemon)
}

fn blocked() -> Error {
    Error::new(Kind::Io, "the network does not allow announcing or looking")
}
