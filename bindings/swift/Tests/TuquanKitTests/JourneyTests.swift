import Foundation
import Testing
import TuquanKit
import TuquanRust

/// The golden journey in Swift: step by step as in `bindings/python/tests/journey.py`.
///
/// Writes what it found as `result.json`; `bindings/journey/expected.json` is what must be found.
@MainActor
@Suite(.serialized, .timeLimit(.minutes(2)))
final class JourneyTests {
    private var found: [String: Any] = [:]
    private let lines = Lines()

    @Test func theGoldenJourneyFindsWhatAllLanguagesFind() async throws {
        let (a, b) = try await opened()
        let (theft, noise, hazard) = try await logged(a)
        try await read(a, theft, hazard)
        try await joined(a, b)
        try await merged(a, b, theft)
        try await atTheHub(a, b, noise)
        try await joinedAtTheHub(a)
        try await near(a, b)
        try await told(a)
        try await reopened(a, b, theft)
        try await broken(b)
        found["log_lines"] = lines.have("opened") && lines.have("closed")
        let json = try JSONSerialization.data(withJSONObject: found, options: .prettyPrinted)
        try json.write(to: URL(fileURLWithPath: path("result.json")))
    }

    /// 1. Version, log lines, two stores; one founds a team.
    private func opened() async throws -> (TuquanStore, TuquanStore) {
        let version = version()
        found["version"] = [Int(version.schema), Int(version.protocol)]
        setLogSink(level: .info, sink: lines)
        let a = try await TuquanStore.open(options("a", 1))
        let b = try await TuquanStore.open(options("b", 2))
        let founder = try await a.disk { try $0.found() }
        let newcomer = try await b.disk { try $0.`init`() }
        let same = try await a.beside { try $0.device() } == founder
        found["founded"] = [founder.role ?? "", newcomer.space == nil, same] as [Any]
        return (a, b)
    }

    /// 2. A place by natural key, three incidents, a repeated tap.
    private func logged(_ a: TuquanStore) async throws -> (RecordId, RecordId, RecordId) {
        let building = Content.place(said: Place(name: "Nhà B2", kind: .building))
        let place = try await a.create(building, key: "B2")
        found["natural"] = try await a.beside { try $0.natural(kind: "place", key: "B2") } == place
        let request = TuquanStore.newRequest()
        let tap = Command.create(draft: incident(.theft, "Mất trộm xe đạp ở nhà B2", place, 0))
        let first = try await a.disk { try $0.apply(request: request, command: tap) }
        let again = try await a.disk { try $0.apply(request: request, command: tap) }
        found["repeated_tap"] = first == again
        let noise = try await a.create(incident(.noise, "Ồn ào sau 23 giờ", place, 1))
        let hazard = try await a.create(
            incident(.hazard, "Ổ điện hành lang bị chập", place, 2, priority: .urgent))
        return (first.record, noise, hazard)
    }

    /// 3. Typed rows, keyset pages, search, counts, figures, codes.
    private func read(_ a: TuquanStore, _ theft: RecordId, _ hazard: RecordId) async throws {
        let first = try await a.beside { try $0.list(list: ListQuery(kind: "incident", limit: 2)) }
        let after = ListQuery(kind: "incident", after: first.next, limit: 2)
        let second = try await a.beside { try $0.list(list: after) }
        let said = (first.rows + second.rows).compactMap(\.incident)
        found["pages"] = [first.rows.count, second.rows.count, second.next == nil] as [Any]
        found["summaries"] = said.map { $0.summary ?? "" }
        found["urgent"] = said.map { $0.priority == .urgent }
        let hits = try await a.beside { try $0.search(search: SearchQuery(text: "trom xe")) }
        found["search"] = [hits.count, hits.first?.record == theft] as [Any]
        let by = CountsQuery(kind: "incident", by: ["category"], byWeek: true)
        let counts = try await a.beside { try $0.counts(counts: by) }
        let cells = counts.map { (text($0.by[0]), Int($0.count)) }.sorted { $0 < $1 }
        found["counts"] = cells.map { [$0.0, $0.1] as [Any] }
        let day = Window(fromMs: morningMs, toMs: morningMs + 86_400_000)
        let parts = try await a.beside { try $0.figures(window: day, cut: .category) }
        found["figures"] = [parts.count, parts.reduce(0) { $0 + Int($1.figures.new) }]
        let code = try await a.beside { try $0.code(record: hazard) }
        let meant = try await a.beside { try $0.find(text: code, limit: 5) }
        found["code"] = [code.hasPrefix("B2-"), meant == [hazard]]
        let whole = try #require(try await a.beside { try $0.get(record: hazard) })
        let nobody = String(repeating: "00", count: 16)
        let none = try await a.beside { try $0.get(record: nobody) } == nil
        found["got"] = [whole.kind, whole.inConflict, none] as [Any]
    }

    /// 4. Joining by codes: the digits are equal on both sides; then by frames.
    private func joined(_ a: TuquanStore, _ b: TuquanStore) async throws {
        let options = InvitationOptions(role: .r2)
        let givenUp = try await a.disk { try $0.invite(options: options) }
        _ = try await b.disk { try $0.acceptInvitation(code: givenUp.code) }
        try await b.disk { try $0.giveUpJoining() }
        let invitation = try await a.disk { try $0.invite(options: options) }
        let request = try await b.disk { try $0.acceptInvitation(code: invitation.code) }
        let newcomer = try await a.disk { try $0.takeRequest(code: request) }
        let revealed = try await b.disk { try $0.takeReveal(code: newcomer.reveal) }
        found["digits"] = [revealed.digits.count, revealed.digits == newcomer.digits] as [Any]
        let (welcome, scanned) = (path("welcome.tqb"), path("scanned.tqb"))
        let admitted = try await a.disk {
            try $0.admit(invitation: newcomer.invitation, compared: .equal, welcome: welcome)
        }
        let own = try await b.beside { try $0.device().device }
        found["admitted"] = [admitted.rights == .writer, admitted.device == own]
        let frames = try await a.beside { try $0.framesOf(path: welcome) }
        let rest = Array(frames.dropFirst())
        found["frames_missing"] = try await b.disk { try $0.fileOf(frames: rest, path: scanned) } == [1]
        _ = try await b.disk { try $0.fileOf(frames: frames, path: scanned) }
        found["joined"] = try await b.disk { try $0.enter(welcome: scanned) }.entries > 0
        let members = try await b.beside { try $0.members() }.sorted { $0.role < $1.role }
        found["members"] = members.map { [$0.role, $0.isThis] as [Any] }
    }

    /// 5. Both edit at once, meet through a pump; a person picks; all is equal.
    private func merged(_ a: TuquanStore, _ b: TuquanStore, _ theft: RecordId) async throws {
        _ = try await meet(a, b)
        for (store, category) in [(a, "lostfound"), (b, "outsider")] {
            _ = try await store.apply(.edit(record: theft, set: ["category": .text(category)]))
        }
        found["pumped"] = try await meet(a, b) > 0
        var rivals: [[String]] = []
        for store in [a, b] {
            for row in try await store.beside({ try $0.conflicts(limit: 10) }) {
                rivals.append((row.conflicts["category"] ?? []).map { text($0) }.sorted())
            }
        }
        found["conflicts"] = rivals.sorted { $0.joined() < $1.joined() }
        let outsider = Plain.text("outsider")
        _ = try await b.apply(
            .resolve(record: theft, field: "category", pick: outsider, reason: "Đã xem camera"))
        _ = try await meet(a, b)
        let open = try await a.beside { try $0.conflicts(limit: 10) }.count
        let said = try #require(try await a.beside { try $0.get(record: theft) }?.incident)
        let category = try #require(said.category)
        found["resolved"] = [open, "\(category)".lowercased()] as [Any]
        let hash = try await a.beside { try $0.viewHash() }
        found["identical"] = try await b.beside { try $0.viewHash() } == hash
        let other = try await b.beside { try $0.device().device }
        found["held_elsewhere"] = try await a.beside { try $0.heldElsewhere(record: theft) } == [other]
    }

    /// 6. Through the hub: sync both ways, a photo, news, cancelling.
    private func atTheHub(_ a: TuquanStore, _ b: TuquanStore, _ noise: RecordId) async throws {
        found["no_hub"] = await refused { try await a.network { try await $0.syncHub() } }
        let hub = Surroundings.hub
        for store in [a, b] { try await store.disk { try $0.setHub(url: hub) } }
        let (request, photo) = (TuquanStore.newRequest(), Surroundings.journey + "/photo.png")
        let attached = try await a.disk {
            try $0.attach(request: request, record: noise, path: photo)
        }
        found["attached"] = attached.record == noise
        let gave = try await a.network { try await $0.syncHub() }
        found["given"] = [gave.stats.sentPacks > 0, gave.hubOlder]
        let atHub: Bool = try await a.beside { try $0.atHub(record: noise) }
        found["at_hub"] = atHub
        let got = try await b.network { try await $0.syncHub() }
        found["fetched"] = got.stats.receivedPacks > 0
        let photos = try await b.beside { try $0.attachments(record: noise) }
        let (key, out) = (photos[0].key, path("photo.out"))
        let state = try await b.disk { try $0.savePhoto(record: noise, key: key, path: out) }
        let size = try Data(contentsOf: URL(fileURLWithPath: out)).count
        found["photo"] = [photos.count, state == .whole(bytes: UInt64(size))] as [Any]
        let take = TuquanStore.newRequest()
        _ = try await b.disk { try $0.detach(request: take, record: noise, key: key) }
        found["detached"] = try await b.beside { try $0.attachments(record: noise) }.count
        _ = try await b.network { try await $0.syncHub() }
        let news: Bool = try await a.network { try await $0.waitForNews(waitS: 5) }
        found["news"] = news
        _ = try await a.network { try await $0.syncHub() }
        found["no_photo"] = try await a.beside { try $0.attachments(record: noise) }.count
        _ = try await b.network { try await $0.syncHub() }
        found["cancelled"] = try await calledOff(b)
        #expect(await isCancelled(b))
    }

    /// 7. A third device joins through the hub's mailbox, and is removed again.
    private func joinedAtTheHub(_ a: TuquanStore) async throws {
        let c = try await TuquanStore.open(options("c", 3, hasFence: false))
        let options = InvitationOptions(role: .r1, ownDevice: true, hubUrl: Surroundings.hub)
        let code = try await a.disk { try $0.invite(options: options) }.code
        async let asking = c.network { try await $0.askToJoin(code: code, waitS: 30) }
        let newcomer = try await a.network { try await $0.awaitNewcomer(code: code, waitS: 30) }
        let revealed = try await asking
        let admitted = try await a.network {
            try await $0.admitAtHub(code: code, invitation: newcomer.invitation, compared: .equal)
        }
        let joined = try await c.network { try await $0.finishJoining(code: code, waitS: 30) }
        let person = try await c.beside { try $0.device().person }
        let founder = try await a.beside { try $0.device().person }
        found["joined_at_hub"] = [
            revealed.digits == newcomer.digits, admitted.rights == .writer, joined.entries > 0,
            person == founder,
        ]
        let device = admitted.device
        try await a.disk { try $0.setRole(device: device, rights: .writer, role: .r2) }
        try await a.disk { try $0.remove(device: device) }
        found["removed"] = try await a.beside { try $0.members() }.map { "\($0.status)" }.sorted()
        // What it writes before it hears of it is kept apart, shown, and accepted by a person.
        _ = try await c.create(.logEntry(said: LogEntry(note: ["Viết sau khi bị gỡ"])))
        let late = path("late.tqb")
        _ = try await c.beside { try $0.exportBundle(path: late) }
        let report = try await a.beside { try $0.importBundle(path: late) }
        let apart = try await a.beside { try $0.quarantined() }
        let (log, last) = (apart[0].log, apart[0].last)
        let said = try await a.beside { try $0.review(log: log, limit: 10) }
        found["quarantined"] = [report.complete, apart.count, !said.isEmpty] as [Any]
        try await a.disk { try $0.acceptQuarantined(log: log, last: last) }
        found["accepted"] = try await a.beside { try $0.quarantined() }.count
        try await c.close()
    }

    /// 8. On the local network: served, looked for, met by address. By card and bundle.
    private func near(_ a: TuquanStore, _ b: TuquanStore) async throws {
        let address = try await a.network {
            try await $0.serveLan(address: "127.0.0.1:0", announce: true)
        }
        let phones: [String] = try await b.network { try await $0.findPhones(waitS: 1) }
        found["phones"] = phones.allSatisfy { $0.contains(":") }
        found["met_lan"] = try await b.network { try await $0.meetLan(address: address) }.received > 0
        try await a.beside { $0.cancelSync() }
        let d = try await TuquanStore.open(options("d", 4, hasFence: false))
        let own = try await d.disk { try $0.`init`().device }
        let (card, bundle) = (path("d.tqd"), path("grant.tqb"))
        try await d.disk { try $0.writeCard(path: card) }
        let granted = try await a.disk { try $0.grant(card: card, role: .r3, bundle: bundle) }
        found["granted"] = granted == own
        found["by_card"] = try await d.beside { try $0.importBundle(path: bundle) }.joined
        try await d.close()
    }

    /// 9. What changed is told to every stream, and streams end when the store closes.
    private func told(_ a: TuquanStore) async throws {
        let (one, other) = (a.changes, a.changes)
        let note = try await a.create(.logEntry(said: LogEntry(note: ["Đổi ca"])))
        found["truth"] = try await a.beside { try $0.truth() }.onlyHere > 0
        found["reset"] = try await a.beside { try $0.safeToReset() }.safe
        let stats = try await a.beside { try $0.stats() }
        found["stats"] = [Int(stats.conflicts), Int(stats.damaged), Int(stats.pending)]
        let checked = try await a.beside { try $0.doctor() }
        found["doctor"] = [checked.pagesOk, checked.viewsOk]
        let restored: Bool = try await a.disk { try $0.takeRestored() }
        found["restored"] = restored
        let heard = [await hears(one, of: note), await hears(other, of: note)]
        try await a.close()
        try await a.close()
        var ended: [Bool] = []
        for changes in [one, other, a.changes] { ended.append(await hears(changes, of: "no more")) }
        found["told"] = heard == [true, true] && ended == [false, false, false]
        #expect(try await a.network { await $0.nextChange() } == nil)
    }

    /// 10. Closed, reopened, wrong key, busy, bad calls, salvaged.
    private func reopened(_ a: TuquanStore, _ b: TuquanStore, _ theft: RecordId) async throws {
        found["after_close"] = await refused { try await a.beside { try $0.stats() } }
        let (wrong, right) = (options("a", 9, hasFence: false), options("a", 1))
        found["wrong_key"] = await refused { try await TuquanStore.open(wrong) }
        let short = OpenOptions(dir: right.dir, key: Data("short".utf8))
        found["short_key"] = await refused { try await TuquanStore.open(short) }
        let again = try await TuquanStore.open(right)
        let said = try await again.beside { try $0.get(record: theft) }?.incident
        found["reopened"] = said?.summary ?? ""
        found["busy"] = await refused { try await TuquanStore.open(right) }
        found["invalid"] = await refused {
            try await again.apply(.transition(record: theft, to: "closed"))
        }
        found["bad_id"] = await refused { try await again.beside { try $0.get(record: "no id") } }
        try await again.close()
        let salvaged = try salvage(options: right)
        found["salvaged"] = salvaged.recovered == salvaged.of
    }

    /// 11. Paused twice, resumed; a panic that is caught, and mended.
    private func broken(_ b: TuquanStore) async throws {
        try await b.pause()
        try await b.pause()
        found["paused"] = await refused { try await b.beside { try $0.device() } }
        try await b.resume()
        found["resumed"] = try await b.beside { try $0.device() }.role ?? ""
        found["panic"] = await refused { try await b.disk { try $0.provokePanic() } }
        found["after_panic"] = await refused { try await b.beside { try $0.device() } }
        try await b.pause()
        try await b.resume()
        found["mended"] = try await b.beside { try $0.device() }.role ?? ""
        try await b.close()
    }
}
