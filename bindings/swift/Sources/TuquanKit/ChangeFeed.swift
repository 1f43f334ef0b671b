import Foundation
import TuquanRust

/// Gives each change of a store to every stream.
///
/// The library gives each change to one waiter only, and a waiter that is cancelled would still take
/// the next one away: so one task waits for as long as the store is open, and streams come and go.
final class ChangeFeed: @unchecked Sendable {
    /// How far a reader may fall behind.
    private static let behindMax = 256

    // Guarded by `lock`, which is what makes this type sendable.
    private let lock = NSLock()
    private var readers: [UUID: AsyncStream<Change>.Continuation] = [:]
    private var hasEnded = false

    init(of core: Tuquan) {
        Task.detached { [self] in
            while let change = await core.nextChange() {
                give(change)
            }
            end()
        }
    }

    func stream() -> AsyncStream<Change> {
        let policy = AsyncStream<Change>.Continuation.BufferingPolicy.bufferingNewest(Self.behindMax)
        let (stream, reader) = AsyncStream.makeStream(of: Change.self, bufferingPolicy: policy)
        let id = UUID()
        reader.onTermination = { [weak self] _ in self?.forget(id) }
        let isOver = lock.withLock {
            readers[id] = hasEnded ? nil : reader
            return hasEnded
        }
        if isOver {
            reader.finish()
        }
        return stream
    }

    private func give(_ change: Change) {
        for reader in lock.withLock({ Array(readers.values) }) {
            // What was dropped is made good by reading all lists anew.
            if case .dropped = reader.yield(change) {
                reader.yield(.everything)
            }
        }
    }

    private func end() {
        let last = lock.withLock {
            hasEnded = true
            return Array(readers.values)
        }
        last.forEach { $0.finish() }
    }

    private func forget(_ id: UUID) {
        _ = lock.withLock { readers.removeValue(forKey: id) }
    }
}
