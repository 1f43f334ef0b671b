import Dispatch
import Foundation
import TuquanRust

/// One store of one device, for a Swift app.
///
/// There is no method for each call of the library: a closure gets the library's `Tuquan` and calls
/// what it likes, and the method that it is given to decides where the call waits.
///
/// ```swift
/// let page = try await store.beside { try $0.list(list: query) }
/// let saved = try await store.disk { try $0.apply(request: request, command: command) }
/// let met = try await store.network { try await $0.syncHub() }
/// ```
public actor TuquanStore {
    private let core: Tuquan
    private let feed: ChangeFeed
    private let lane = Lane()

    /// Calls of this actor wait for the disk on a queue of its own, never on Swift's pool, which has
    /// but one thread for each processor.
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        lane.asUnownedSerialExecutor()
    }

    private init(core: Tuquan) {
        self.core = core
        feed = ChangeFeed(of: core)
    }

    deinit {
        // Whoever lets go of a store without closing it: the key is forgotten all the same.
        let core = core
        Lane.beside.async { try? core.close() }
    }

    /// Opens a store, which is made if it does not exist.
    ///
    /// - Throws: `WrongKey`, `Damaged`, `Newer`, `Storage` (`E-BUSY` when another program has it
    ///   open); nothing was changed then.
    public static func open(_ options: OpenOptions) async throws -> TuquanStore {
        TuquanStore(core: try await Lane.run { try Tuquan.open(options: options) })
    }

    /// Makes a request id, one for each tap; a tap that is repeated repeats its id.
    public static func newRequest() -> RequestId {
        UUID().uuidString.replacingOccurrences(of: "-", with: "").lowercased()
    }

    /// Does a call that writes, after those that were asked for before.
    public func disk<T: Sendable>(_ call: @Sendable (Tuquan) throws -> T) throws -> T {
        try call(core)
    }

    /// Does a call beside all others: one that reads, or takes long. The library lets taps go first.
    public nonisolated func beside<T: Sendable>(
        _ call: @escaping @Sendable (Tuquan) throws -> T
    ) async throws -> T {
        try await Lane.run { [core] in try call(core) }
    }

    /// Does a call that waits for a network. Cancelling the task calls off every call of this store
    /// that waits for one; what came stays, what was not sent stays queued.
    ///
    /// - Throws: `CancellationError` once the task is cancelled, else as the call.
    public nonisolated func network<T: Sendable>(
        _ call: @Sendable (Tuquan) async throws -> T
    ) async throws -> T {
        try Task.checkCancellation()
        let callOff = CallOff(of: core)
        defer { callOff.end() }
        do {
            return try await withTaskCancellationHandler {
                try await call(core)
            } onCancel: {
                callOff.begin()
            }
        } catch let error as TuquanError where Task.isCancelled && error.code == "E-CANCELLED" {
            throw CancellationError()
        }
    }

    /// What changed, whoever made it, from now on until the store is closed. Each stream gets every
    /// change; a reader that falls far behind is told to read everything.
    public nonisolated var changes: AsyncStream<Change> { feed.stream() }

    /// Finishes writes, calls off what waits for a network and lets go of every file: on
    /// `ScenePhase.background`, within a background task. Waits for no call that still queues.
    public nonisolated func pause() async throws {
        try await beside { try $0.pause() }
    }

    /// Opens again what was paused: on `ScenePhase.active`. Mends a store that a fault broke, after
    /// a pause.
    public nonisolated func resume() async throws {
        try await beside { try $0.resume() }
    }

    /// Pauses for good, forgets the key and ends ``changes``.
    public nonisolated func close() async throws {
        try await beside { try $0.close() }
    }
}
