import Dispatch
import Foundation
import TuquanRust

/// Calls off a call that waits for a network, until it has ended.
///
/// Once would not do: a cancellation that comes while the call is still being started would find
/// nothing to call off.
final class CallOff: @unchecked Sendable {
    private static let againAfter = DispatchTimeInterval.milliseconds(50)

    private let core: Tuquan
    // Guards `hasEnded`, which is what makes this type sendable.
    private let lock = NSLock()
    private var hasEnded = false

    init(of core: Tuquan) {
        self.core = core
    }

    func begin() {
        guard !lock.withLock({ hasEnded }) else { return }
        core.cancelSync()
        Lane.beside.asyncAfter(deadline: .now() + Self.againAfter) { self.begin() }
    }

    func end() {
        lock.withLock { hasEnded = true }
    }
}
