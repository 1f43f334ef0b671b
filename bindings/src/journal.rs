//! Log lines for the shell's own log, few and without personal data: what failed, and panics.
//!
//! A line is filtered by level before it crosses. Must not know: names, rooms, what notes say.

use std::sync::{Arc, Once, PoisonError, RwLock};

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, uniffi::Enum)]
pub enum LogLevel {
    /// A fault of this library.
    Error,
    /// Something that a person may have to do something about.
    Warn,
    /// What happens: opened, closed, met.
    Info,
}

/// Where log lines go. It is called on whatever thread has something to say, one line at a time,
/// and must not call back into the store.
#[uniffi::export(foreign)]
pub trait LogSink: Send + Sync {
    /// Takes one line.
    fn log(&self, level: LogLevel, line: String);
}

type Sink = (LogLevel, Arc<dyn LogSink>);

static SINK: RwLock<Option<Sink>> = RwLock::new(None);
static HOOK: Once = Once::new();

/// Sets where log lines up to `level` go, for the whole process; panics of this library go there
/// too. Fast.
#[uniffi::export]
pub fn set_log_sink(level: LogLevel, sink: Arc<dyn LogSink>) {
    *SINK.write().unwrap_or_else(PoisonError::into_inner) = Some((level, sink));
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // Where, not what: a message could quote what somebody wrote.
            let place = info.location().map(|at| format!("{}:{}", at.file(), at.line()));
            log(LogLevel::Error, || format!("panic at {}", place.unwrap_or_default()));
            before(info);
        }));
    });
}

/// Has log lines go nowhere from now on; panics still go where they went without this library.
pub(crate) fn forget_log_sink() {
    *SINK.write().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Logs a line, which is made only if somebody wants it.
pub(crate) fn log(level: LogLevel, line: impl FnOnce() -> String) {
    // The sink is called without the lock, so that it may even set another one.
    let sink = SINK.read().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some((most, sink)) = sink
        && level <= most
    {
        sink.log(level, line());
    }
}
