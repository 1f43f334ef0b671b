import Foundation
import Testing
import TuquanKit
import TuquanRust

/// 2026-05-04 08:00 +07:00, a Monday.
let morningMs: Int64 = 1_777_856_400_000

/// What the journey is given by `cargo xtask journey swift`.
enum Surroundings {
    static let hub = named("TUQUAN_HUB")
    static let work = named("TUQUAN_WORK")
    static let journey = named("TUQUAN_JOURNEY")

    private static func named(_ name: String) -> String {
        guard let value = ProcessInfo.processInfo.environment[name] else {
            fatalError("\(name) is not set: run `cargo xtask journey swift`")
        }
        return value
    }
}

func path(_ name: String) -> String { "\(Surroundings.work)/\(name)" }

func options(_ name: String, _ key: UInt8, hasFence: Bool = true) -> OpenOptions {
    let fence = hasFence ? path("\(name).fence") : nil
    return OpenOptions(dir: path(name), key: Data(repeating: key, count: 32), fence: fence)
}

func incident(
    _ category: TuquanRust.Category, _ summary: String, _ place: RecordId, _ minutes: Int64,
    priority: Priority? = nil
) -> Content {
    let at = morningMs + minutes * 60_000
    return .incident(
        said: Incident(
            tOcc: at, category: category, place: place, priority: priority, summary: summary))
}

func text(_ value: Plain?) -> String {
    if case .text(let text) = value { text } else { "no text" }
}

extension Record {
    var incident: Incident? {
        if case .incident(let said) = fields { said } else { nil }
    }
}

extension TuquanStore {
    func apply(_ command: Command) throws -> Applied {
        try disk { try $0.apply(request: Self.newRequest(), command: command) }
    }

    func create(_ content: Content, key: String? = nil) throws -> RecordId {
        try apply(.create(draft: content, key: key)).record
    }
}

/// Returns the kind and code of the error that a call gives.
@MainActor
func refused<T: Sendable>(_ call: () async throws -> T) async -> String {
    do {
        _ = try await call()
        return "no error"
    } catch let error as TuquanError {
        // What a person may see of it is this and no more.
        #expect(error.localizedDescription == "\(error.kind) (\(error.code))")
        return "\(error.kind) \(error.code)"
    } catch {
        return "another error: \(error)"
    }
}

/// Keeps what the library logs.
final class Lines: LogSink, @unchecked Sendable {
    // Guards `lines`, which is what makes this type sendable.
    private let lock = NSLock()
    private var lines: Set<String> = []

    func log(level: LogLevel, line: String) {
        lock.withLock { _ = lines.insert(line) }
    }

    func have(_ line: String) -> Bool { lock.withLock { lines.contains(line) } }
}

/// Brings two stores together; returns how many entries went both ways.
func meet(_ a: TuquanStore, _ b: TuquanStore) async throws -> UInt64 {
    let one = try await a.disk { try $0.meet(side: .initiator) }
    let other = try await b.disk { try $0.meet(side: .responder) }
    var (toOne, toOther) = (Data(), Data())
    var (oneEnded, otherEnded) = (false, false)
    var moved: UInt64 = 0
    while !(oneEnded && otherEnded) {
        if !oneEnded {
            let pumped = try await a.beside { [toOne] _ in try one.pump(incoming: toOne) }
            try #require(pumped.failed == nil)
            toOne = Data()
            toOther += pumped.outgoing
            oneEnded = pumped.ended
            moved = pumped.stats.sent + pumped.stats.received
        }
        if !otherEnded {
            let pumped = try await b.beside { [toOther] _ in try other.pump(incoming: toOther) }
            try #require(pumped.failed == nil)
            toOther = Data()
            toOne += pumped.outgoing
            otherEnded = pumped.ended
        }
    }
    return moved
}

/// Calls off a call that waits for news, by the library's own door; returns how it ended.
func calledOff(_ store: TuquanStore) async throws -> String {
    try await withThrowingTaskGroup(of: String?.self) { group in
        group.addTask {
            await refused { try await store.network { try await $0.waitForNews(waitS: 50) } }
        }
        group.addTask {
            // The call may not have begun yet: it is called off until it has ended.
            while !Task.isCancelled {
                try await store.beside { $0.cancelSync() }
            }
            return nil
        }
        let first = try await group.next()
        group.cancelAll()
        return (first ?? nil) ?? "did not end"
    }
}

/// Tells whether a task that waits for news ends as a cancelled task should.
func isCancelled(_ store: TuquanStore) async -> Bool {
    let (begun, begin) = AsyncStream.makeStream(of: Void.self)
    let waiting = Task {
        try await store.network { core in
            begin.finish()
            return try await core.waitForNews(waitS: 50)
        }
    }
    for await _ in begun {}
    waiting.cancel()
    if case .failure(let error) = await waiting.result { return error is CancellationError }
    return false
}

/// Tells whether a stream tells of a record before it ends.
func hears(_ changes: AsyncStream<Change>, of record: RecordId) async -> Bool {
    for await change in changes {
        if case .record(let changed) = change, changed.record == record { return true }
    }
    return false
}
