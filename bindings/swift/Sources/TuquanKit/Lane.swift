import Dispatch

/// Where calls wait for the disk.
final class Lane: SerialExecutor {
    /// For calls that wait for nobody and hold nobody up.
    static let beside = DispatchQueue(
        label: "vn.tuquan.beside", qos: .userInitiated, attributes: .concurrent)

    private let queue = DispatchQueue(label: "vn.tuquan.disk", qos: .userInitiated)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }

    /// Runs a call beside others, and waits for it without holding a thread of the caller's.
    static func run<T: Sendable>(_ call: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { waiting in
            beside.async { waiting.resume(with: Result(catching: call)) }
        }
    }
}
