import Foundation
import TuquanKit
import TuquanRust

// What crossing costs, in microseconds, as one line of JSON: the fastest of five rounds, so that
// what else the machine does is left out. Run by `TUQUAN_BENCH=1 cargo xtask journey swift`.

func each(_ times: Int, _ call: () throws -> Void) rethrows -> Double {
    try call()
    var best = Double.infinity
    for _ in 0..<5 {
        let start = ContinuousClock.now
        for _ in 0..<times { try call() }
        let took = (ContinuousClock.now - start) / times
        best = min(best, Double(took.components.attoseconds) / 1e12)
    }
    return best
}

func rounded(_ figure: Double) -> Double { (figure * 100).rounded() / 100 }

/// Says one thing: which one does not matter for the measure.
func note(_ number: Int) -> Command {
    let said = Incident(category: .noise, summary: "Ồn ào lần \(number)")
    return .create(draft: .incident(said: said))
}

let folder = FileManager.default.temporaryDirectory.appending(path: "tuquan-\(UUID().uuidString)")
let core = try Tuquan.open(
    options: OpenOptions(dir: folder.path, key: Data(repeating: 5, count: 32)))
_ = try core.found()
for number in 0..<60 {
    _ = try core.apply(request: TuquanStore.newRequest(), command: note(number))
}
let list50 = try each(100) { _ = try core.list(list: ListQuery(kind: "incident", limit: 50)) }
let list1 = try each(100) { _ = try core.list(list: ListQuery(kind: "incident", limit: 1)) }
let tap = try each(50) {
    _ = try core.apply(request: TuquanStore.newRequest(), command: note(0))
}
let empty = each(2_000) { _ = version() }
try core.close()
try FileManager.default.removeItem(at: folder)

let figures: [String: Any] = [
    "language": "swift",
    "empty_us": rounded(empty),
    "list50_us": rounded(list50),
    "row_us": rounded((list50 - list1) / 49),
    "tap_us": rounded(tap),
]
let json = try JSONSerialization.data(withJSONObject: figures, options: .sortedKeys)
print(String(decoding: json, as: UTF8.self))
