import Testing
import TuquanRust
@testable import TuquanKit
@Test func a() async throws { print(version()) }
