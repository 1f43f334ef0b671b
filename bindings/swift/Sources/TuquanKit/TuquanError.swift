import Foundation
import TuquanRust

/// What an app shows is its own text, found by ``kind`` and ``code``. The reason is for developers:
/// no text that people see is made of it.
extension TuquanError: LocalizedError {
    /// The stable kind, such as `NotFound`.
    public var kind: String { parts.kind }

    /// The stable code, such as `E-FULL`.
    public var code: String { parts.code }

    /// What happened, for a developer's log; without personal data.
    public var reason: String { parts.reason }

    public var errorDescription: String? { "\(kind) (\(code))" }

    private var parts: (kind: String, code: String, reason: String) {
        switch self {
        case .Invalid(let code, let reason): ("Invalid", code, reason)
        case .NotFound(let code, let reason): ("NotFound", code, reason)
        case .NotReady(let code, let reason): ("NotReady", code, reason)
        case .Forbidden(let code, let reason): ("Forbidden", code, reason)
        case .WrongKey(let code, let reason): ("WrongKey", code, reason)
        case .Damaged(let code, let reason): ("Damaged", code, reason)
        case .Full(let code, let reason): ("Full", code, reason)
        case .Storage(let code, let reason): ("Storage", code, reason)
        case .Newer(let code, let reason): ("Newer", code, reason)
        case .Refused(let code, let reason): ("Refused", code, reason)
        case .Network(let code, let reason): ("Network", code, reason)
        case .Internal(let code, let reason): ("Internal", code, reason)
        }
    }
}
