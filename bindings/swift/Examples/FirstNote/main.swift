import Foundation
import TuquanKit
import TuquanRust

let (folder, hub) = (CommandLine.arguments[1], CommandLine.arguments[2])
// On an iPhone the keychain keeps these 32 bytes; whoever has them can read the store.
let key = Data((0..<32).map { _ in UInt8.random(in: .min ... .max) })
let store = try await TuquanStore.open(
    OpenOptions(dir: "\(folder)/first", key: key, fence: "\(folder)/first.fence"))
_ = try await store.disk { try $0.found() }
let said = Incident(category: .hazard, summary: "Ổ điện hành lang bị chập")
let command = Command.create(draft: .incident(said: said))
let request = TuquanStore.newRequest()
// When this returns, the note is on the disk.
let note = try await store.disk { try $0.apply(request: request, command: command) }
let page = try await store.beside { try $0.list(list: ListQuery(kind: "incident")) }
for case .incident(let said) in page.rows.map(\.fields) {
    print(said.summary ?? "")
}
try await store.disk { try $0.setHub(url: hub) }
_ = try await store.network { try await $0.syncHub() }
print("at the hub:", try await store.beside { try $0.atHub(record: note.record) })
try await store.close()
