package vn.tuquan

import vn.tuquan.data.TuquanException

/** The stable kinds of failure. What a person reads is chosen by it, in the app's own resources. */
public enum class Kind {
    Invalid,
    NotFound,
    NotReady,
    Forbidden,
    WrongKey,
    Damaged,
    Full,
    Storage,
    Newer,
    Refused,
    Network,
    Internal,
}

private data class Parts(val kind: Kind, val code: String, val reason: String)

// Without an `else`: a kind that is added in Rust must not compile until it is here.
private val TuquanException.parts: Parts
    get() = when (this) {
        is TuquanException.Invalid -> Parts(Kind.Invalid, code, reason)
        is TuquanException.NotFound -> Parts(Kind.NotFound, code, reason)
        is TuquanException.NotReady -> Parts(Kind.NotReady, code, reason)
        is TuquanException.Forbidden -> Parts(Kind.Forbidden, code, reason)
        is TuquanException.WrongKey -> Parts(Kind.WrongKey, code, reason)
        is TuquanException.Damaged -> Parts(Kind.Damaged, code, reason)
        is TuquanException.Full -> Parts(Kind.Full, code, reason)
        is TuquanException.Storage -> Parts(Kind.Storage, code, reason)
        is TuquanException.Newer -> Parts(Kind.Newer, code, reason)
        is TuquanException.Refused -> Parts(Kind.Refused, code, reason)
        is TuquanException.Network -> Parts(Kind.Network, code, reason)
        is TuquanException.Internal -> Parts(Kind.Internal, code, reason)
    }

/** The stable kind. */
public val TuquanException.kind: Kind get() = parts.kind

/** The stable code, such as `E-Full`. */
public val TuquanException.code: String get() = parts.code

/** What happened, for developers; never shown to people. */
public val TuquanException.reason: String get() = parts.reason
